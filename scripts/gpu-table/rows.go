package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// row is a line of either file; which fields it has says what it is of.
type row struct {
	// The first line of ours, and of PyTorch's.
	Device device `json:"device"`
	Net    string `json:"net"`
	Batch  int    `json:"batch"` // of a whole network's line, too
	Torch  string `json:"torch"`
	CuDNN  int    `json:"cudnn"`

	Network         string  `json:"network"`
	Mode            string  `json:"mode"`
	ImagesPerSecond float64 `json:"images_per_s"`

	Call      string  `json:"call"`
	Precision string  `json:"precision"`
	Storage   string  `json:"storage"` // of activations, "" is float32
	Variant   string  `json:"variant"`
	FLOP      float64 `json:"flop"`
	Bytes     float64 `json:"bytes"`
	MedianNS  float64 `json:"medianNS"` // 0 where it was not timed
	Error     string  `json:"error"`
}

// arithmetic is how a row multiplies and what its activations lie in memory as.
func (r row) arithmetic() string {
	if r.Storage == "" {
		return r.Precision
	}
	return r.Precision + " in " + r.Storage
}

// device is a name, or what our header says of it.
type device struct {
	Name   string `json:"name"`
	Driver string `json:"driver"`
}

func (d *device) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &d.Name)
	}
	type plain device
	return json.Unmarshal(b, (*plain)(d))
}

// rows is a file of JSON lines. A last line that was cut off counts for nothing.
func rows(f *folder, name string) ([]row, error) {
	b, err := f.read(name)
	if err != nil {
		return nil, err
	}
	var rows []row
	whole := b[:bytes.LastIndexByte(b, '\n')+1]
	for i, line := range bytes.Split(whole, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 { // behind the last, and all of a file that was cut off at once
			continue
		}
		var r row
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", f.path(name), i+1, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

var convolution = regexp.MustCompile(`^(masked\S*?_)?(conv_forward|conv_backward_data|conv_backward_filter)\S*?/(n\d+_\d+x\d+x(\d+)_k(\d+)x(\d+)x(\d+)_s\d+x\d+_p\d+x\d+_d\d+x\d+_g(\d+)_\S+)`)

// conv is a convolution's line.
type conv struct {
	row
	direction, shape string
	masked           bool
	c, k             int
}

func asConv(r row) (conv, bool) {
	m := convolution.FindStringSubmatch(r.Call)
	if m == nil || m[8] != "1" {
		return conv{}, false
	}
	c := conv{row: r, masked: m[1] != "", direction: m[2], shape: m[3]}
	fmt.Sscan(m[4], &c.c)
	fmt.Sscan(m[5], &c.k)
	return c, true
}

// kind of a call that is no convolution: its name without sizes and what it adds.
func kind(call string) string {
	name, _, _ := strings.Cut(call, "/")
	name, _, _ = strings.Cut(name, "+")
	return name
}
