package data

import (
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// The four files of MNIST and of the data sets made in its image, each plain or with .gz after its name.
const (
	trainImages = "train-images-idx3-ubyte"
	trainLabels = "train-labels-idx1-ubyte"
	testImages  = "t10k-images-idx3-ubyte"
	testLabels  = "t10k-labels-idx1-ubyte"
)

var fashionClasses = []string{
	"t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
}

// OpenFashionMNIST opens the folder of Fashion-MNIST's four IDX files: 28×28 grey images of 10 classes.
func OpenFashionMNIST(dir string) (train, test *Set, err error) {
	if train, test, err = OpenIDX(dir); err != nil {
		return nil, nil, err
	}
	for _, s := range []*Set{train, test} {
		if s.H != 28 || s.W != 28 || len(s.Classes) != len(fashionClasses) {
			return nil, nil, fmt.Errorf("%s: %d×%d images of %d classes are not Fashion-MNIST's 28×28 of %d",
				dir, s.H, s.W, len(s.Classes), len(fashionClasses))
		}
		s.Name, s.Classes = "fashion-mnist", fashionClasses
	}
	return train, test, nil
}

// OpenIDX opens a folder of four IDX files named as MNIST's, plain or gzipped. Classes are named by their number.
func OpenIDX(dir string) (train, test *Set, err error) {
	if train, err = openIDXPair(dir, trainImages, trainLabels); err != nil {
		return nil, nil, err
	}
	if test, err = openIDXPair(dir, testImages, testLabels); err != nil {
		return nil, nil, err
	}
	if train.H != test.H || train.W != test.W {
		return nil, nil, fmt.Errorf("%s: training images are %d×%d, test images %d×%d", dir, train.H, train.W, test.H, test.W)
	}
	classes := int(max(slices.Max(train.Labels), slices.Max(test.Labels))) + 1
	for class := range classes {
		train.Classes = append(train.Classes, strconv.Itoa(class))
	}
	test.Classes = train.Classes
	return train, test, nil
}

func isIDXFolder(dir string) bool { return findIDX(dir, trainImages) != "" }

// findIDX returns the path of an IDX file, plain rather than gzipped, or "".
func findIDX(dir, name string) string {
	for _, path := range []string{filepath.Join(dir, name), filepath.Join(dir, name+".gz")} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

func openIDXPair(dir, imagesName, labelsName string) (*Set, error) {
	imagesPath, dims, pixels, err := openIDX(dir, imagesName, 3)
	if err != nil {
		return nil, err
	}
	labelsPath, labelDims, labels, err := openIDX(dir, labelsName, 1)
	if err != nil {
		return nil, err
	}
	if dims[0] != labelDims[0] {
		return nil, fmt.Errorf("%s has %d images, %s %d labels", imagesPath, dims[0], labelsPath, labelDims[0])
	}
	s := &Set{Name: dir, H: dims[1], W: dims[2], C: 1, Labels: make([]int32, len(labels))}
	for i, l := range labels {
		s.Labels[i] = int32(l)
	}
	s.read, s.identify = inMemory(pixels, s.H*s.W), byPixels(pixels)
	return s, nil
}

// openIDX reads the named file of dir; every error names its path.
func openIDX(dir, name string, rank int) (path string, dims []int, data []byte, err error) {
	if path = findIDX(dir, name); path == "" {
		return "", nil, nil, fmt.Errorf("%s: not found, nor %s.gz: run scripts/data", filepath.Join(dir, name), name)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", nil, nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if filepath.Ext(path) == ".gz" {
		if r, err = gzip.NewReader(f); err != nil {
			return "", nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if dims, data, err = readIDX(r, rank); err != nil {
		return "", nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return path, dims, data, nil
}

// readIDX reads an IDX file of unsigned bytes to its end, big endian:
//
//	0 0 8 rank | dims[0] … dims[rank-1] as uint32 | the bytes, last dimension fastest
//
// Memory follows what the file holds, not what its header claims.
func readIDX(r io.Reader, rank int) (dims []int, data []byte, err error) {
	header := make([]byte, 4+4*rank)
	if n, err := io.ReadFull(r, header); err != nil {
		return nil, nil, truncated("header", len(header), n, err)
	}
	if magic, want := binary.BigEndian.Uint32(header), uint32(0x800+rank); magic != want {
		return nil, nil, fmt.Errorf("not an IDX file of bytes with %d dimensions: magic %#08x expected, %#08x found", rank, want, magic)
	}
	size := 1
	for i := range rank {
		d := int(binary.BigEndian.Uint32(header[4+4*i:]))
		if d == 0 || d > 1<<40/size {
			return nil, nil, fmt.Errorf("dimension %d of %d: zero, or too large to be true", i, d)
		}
		size *= d
		dims = append(dims, d)
	}
	for len(data) < size {
		have := len(data)
		data = append(data, make([]byte, min(max(have, 1<<20), size-have))...)
		if n, err := io.ReadFull(r, data[have:]); err != nil {
			return nil, nil, truncated(fmt.Sprintf("data of shape %v", dims), size, have+n, err)
		}
	}
	// Reading on to the end also makes gzip verify its checksum.
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n != 0:
		return nil, nil, fmt.Errorf("more than the %d bytes of data of shape %v", size, dims)
	case err != io.EOF:
		return nil, nil, fmt.Errorf("after the data: %w", err)
	}
	return dims, data, nil
}

func truncated(what string, want, found int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("truncated: %d bytes of %s expected, %d found", want, what, found)
	}
	return fmt.Errorf("%s: %w", what, err)
}
