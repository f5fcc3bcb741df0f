package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"path/filepath"
)

// Fingerprint is a digest of what the set holds, wherever its files lie: sets
// with equal ones give equal images. One in memory is known by its bytes. The
// images of a folder are too many to read: they are known by their names, sizes
// and times of modification.
func (s *Set) Fingerprint() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, s.H, s.W, s.C, len(s.Classes), len(s.Labels))
	if err := binary.Write(h, binary.LittleEndian, s.Labels); err != nil {
		return "", err
	}
	if err := s.identify(h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// byPixels identifies images in memory.
func byPixels(pixels []uint8) func(hash.Hash) error {
	return func(h hash.Hash) error {
		h.Write(pixels)
		return nil
	}
}

// byFiles identifies the images of a folder.
func byFiles(root string, paths []string) func(hash.Hash) error {
	return func(h hash.Hash) error {
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			fmt.Fprintf(h, "%q %d %d\n", filepath.ToSlash(name), info.Size(), info.ModTime().UnixNano())
		}
		return nil
	}
}
