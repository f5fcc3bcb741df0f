package data

import (
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/image/draw"
)

// maxPixels refuses an image that a small file claims to be huge; ImageNet's largest has 2^24.5.
const maxPixels = 1 << 27

// OpenFolder opens an image folder in ImageNet's layout, as h×w RGB images:
//
//	root/train/<class>/*.jpg, .jpeg, .png
//	root/val/<class>/…   or root/test/<class>/…
//
// Classes are the folders of train sorted by name. Without train/, train is nil and
// classes are those of val. Files are decoded when read, scaled (bilinear, antialiased) until they just cover
// h×w, and centre-cropped; transparency becomes black.
func OpenFolder(root string, h, w int) (train, test *Set, err error) {
	if h <= 0 || w <= 0 {
		return nil, nil, fmt.Errorf("%s: cannot make images of %d×%d pixels", root, h, w)
	}
	testDir := filepath.Join(root, "val")
	if !isDir(testDir) {
		testDir = filepath.Join(root, "test")
	}
	testClasses, err := classFolders(testDir)
	if err != nil {
		return nil, nil, err
	}
	trainDir := filepath.Join(root, "train")
	if !isDir(trainDir) {
		test, err = openSplit(testDir, testClasses, testClasses, h, w)
		return nil, test, err
	}
	classes, err := classFolders(trainDir)
	if err != nil {
		return nil, nil, err
	}
	for _, class := range testClasses {
		if !slices.Contains(classes, class) {
			return nil, nil, fmt.Errorf("%s: class %q has no folder in %s", testDir, class, trainDir)
		}
	}
	if train, err = openSplit(trainDir, classes, classes, h, w); err != nil {
		return nil, nil, err
	}
	if test, err = openSplit(testDir, testClasses, classes, h, w); err != nil {
		return nil, nil, err
	}
	return train, test, nil
}

func isImageFolder(root string) bool {
	return isDir(filepath.Join(root, "train")) || isDir(filepath.Join(root, "val")) || isDir(filepath.Join(root, "test"))
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// classFolders returns the names of dir's folders, sorted.
func classFolders(dir string) ([]string, error) {
	files, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, err
	}
	var classes []string
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), ".") && isDir(filepath.Join(dir, f.Name())) { // not f.IsDir: a link to a folder counts
			classes = append(classes, f.Name())
		}
	}
	if len(classes) == 0 {
		return nil, fmt.Errorf("%s: no class folders in it", dir)
	}
	return classes, nil
}

// openSplit lists the images of the given classes' folders of dir, labelled by the class's place in all.
func openSplit(dir string, classes, all []string, h, w int) (*Set, error) {
	s := &Set{Name: dir, H: h, W: w, C: 3, Classes: all}
	var paths []string
	for _, class := range classes {
		files, err := os.ReadDir(filepath.Join(dir, class))
		if err != nil {
			return nil, err
		}
		before := len(paths)
		for _, f := range files {
			switch strings.ToLower(filepath.Ext(f.Name())) {
			case ".jpg", ".jpeg", ".png":
				paths = append(paths, filepath.Join(dir, class, f.Name()))
				s.Labels = append(s.Labels, int32(slices.Index(all, class)))
			}
		}
		if len(paths) == before {
			return nil, fmt.Errorf("%s: no .jpg, .jpeg or .png files in it", filepath.Join(dir, class))
		}
	}
	s.identify = byFiles(dir, paths)
	s.read = func(pix []uint8, i int) error {
		if err := readImage(pix, paths[i], h, w); err != nil {
			var named *fs.PathError
			if errors.As(err, &named) {
				return err
			}
			return fmt.Errorf("%s: %w", paths[i], err)
		}
		return nil
	}
	return s, nil
}

// readImage decodes a file of whatever format its content says and fits it into pix (h×w×3).
func readImage(pix []uint8, path string, h, w int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	config, _, err := image.DecodeConfig(f)
	if err != nil {
		return err
	}
	if config.Width <= 0 || config.Height <= 0 || config.Width > maxPixels/config.Height {
		return fmt.Errorf("image of %d×%d pixels: more than the limit of %d, or none", config.Height, config.Width, maxPixels)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	src, _, err := image.Decode(f)
	if err != nil {
		return err
	}

	rgba := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(rgba, rgba.Rect, src, centre(src.Bounds(), h, w), draw.Src, nil)
	for i := range h * w {
		copy(pix[3*i:3*i+3], rgba.Pix[4*i:])
	}
	return nil
}

// centre returns the largest rectangle in the middle of r with the proportions of h×w.
func centre(r image.Rectangle, h, w int) image.Rectangle {
	cropW, cropH := r.Dx(), r.Dy()
	if cropW*h > cropH*w {
		cropW = max(1, cropH*w/h)
	} else {
		cropH = max(1, cropW*h/w)
	}
	x, y := r.Min.X+(r.Dx()-cropW)/2, r.Min.Y+(r.Dy()-cropH)/2
	return image.Rect(x, y, x+cropW, y+cropH)
}
