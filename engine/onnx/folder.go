package onnx

import (
	"fmt"
	"os"
)

// folder is where a model's external data lie. Its files are mapped when one of
// their tensors is asked for, each once.
type folder struct {
	dir   string
	files map[string][]byte
	unmap []func()
}

// file is the contents of a file in the folder, and of none elsewhere: os.Root
// stops a path, or a link, that leads out of it. A fresh one was not asked for before.
func (d *folder) file(name string) (b []byte, fresh bool, err error) {
	if b, ok := d.files[name]; ok {
		return b, false, nil
	}
	root, err := os.OpenRoot(d.dir)
	if err != nil {
		return nil, false, err
	}
	defer root.Close()
	// What is no file is not opened: opening a pipe waits for someone to write.
	info, err := root.Stat(name)
	if err != nil {
		return nil, false, fmt.Errorf("%w; it must be a file in the model's folder", err)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, false, fmt.Errorf("%.80q is no file, or an empty one", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	b, unmap, err := mapping(f)
	if err != nil {
		return nil, false, err
	}
	d.files[name], d.unmap = b, append(d.unmap, unmap)
	return b, true, nil
}

// release lets go of the pages that a part of one of the files takes.
func (d *folder) release(part []byte) {
	for _, b := range d.files {
		release(b, part)
	}
}

func (d *folder) close() {
	for _, unmap := range d.unmap {
		unmap()
	}
}
