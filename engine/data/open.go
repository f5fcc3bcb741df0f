package data

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// defaultFolderSide is the size in pixels at which an image folder is opened when none is asked for: ImageNet's.
const defaultFolderSide = 224

// Open opens the data set that spec names:
//
//	synthetic       a small learnable set made on the spot
//	fashion-mnist   from the folder $MDP_DATA or the cache that scripts/data fills
//	a folder        of MNIST-like IDX files, or of images as OpenFolder wants them
//
// side is the wanted height and width in pixels: an image folder is scaled to it, any other set must have it; 0 takes the set's own.
// train is nil where an image folder has images to validate with alone.
func Open(spec string, side int) (train, test *Set, err error) {
	switch {
	case side < 0:
		return nil, nil, fmt.Errorf("%s: image size %d is negative", spec, side)
	case spec == "synthetic":
		train, test = openSynthetic()
	case spec == "fashion-mnist":
		train, test, err = openCachedFashionMNIST()
	case isIDXFolder(spec):
		train, test, err = OpenIDX(spec)
	case isImageFolder(spec):
		if side == 0 {
			side = defaultFolderSide
		}
		train, test, err = OpenFolder(spec, side, side)
	default:
		return nil, nil, fmt.Errorf("data %q: neither synthetic, fashion-mnist, a folder with %s nor one with train/<class>/ or val/<class>/ in it; scripts/data fetches fashion-mnist", spec, trainImages)
	}
	if err != nil {
		return nil, nil, err
	}
	if side != 0 && (test.H != side || test.W != side) {
		return nil, nil, fmt.Errorf("%s: its images are %d×%d, not the %d×%d asked for", spec, test.H, test.W, side, side)
	}
	return train, test, nil
}

// openCachedFashionMNIST looks where scripts/data looks first and where it leaves its files.
func openCachedFashionMNIST() (train, test *Set, err error) {
	var looked []string
	if dir := os.Getenv("MDP_DATA"); dir != "" {
		looked = append(looked, dir)
	}
	if cache, err := os.UserCacheDir(); err == nil {
		looked = append(looked, filepath.Join(cache, "mdp", "fashion-mnist"))
	}
	for _, dir := range looked {
		if isIDXFolder(dir) {
			return OpenFashionMNIST(dir)
		}
	}
	return nil, nil, fmt.Errorf("fashion-mnist is not in %s: run scripts/data", strings.Join(looked, " or "))
}
