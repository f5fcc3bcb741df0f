package data

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func encodePNG(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, m))
	return b.Bytes()
}

// flat returns an image of one colour.
func flat(h, w int, c color.Color) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range h * w {
		m.Set(i%w, i/w, c)
	}
	return m
}

var (
	red   = color.RGBA{200, 10, 20, 255}
	green = color.RGBA{5, 210, 40, 255}
)

// writeImageFolder writes classes cat (red; PNG and JPEG, the latter named as ImageNet does) and dog (green), among files that are no images.
func writeImageFolder(t testing.TB) string {
	root := t.TempDir()
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, flat(16, 8, red), &jpeg.Options{Quality: 100}))
	writeFile(t, root, "train/cat/a.png", encodePNG(t, flat(9, 17, red)))
	writeFile(t, root, "train/cat/b.JPEG", b.Bytes())
	writeFile(t, root, "train/dog/a.jpg", encodePNG(t, flat(4, 4, green))) // the content counts, not the name
	writeFile(t, root, "train/dog/notes.txt", nil)
	writeFile(t, root, "train/.hidden/x.png", nil)
	writeFile(t, root, "train/README", nil)
	writeFile(t, root, "val/dog/a.png", encodePNG(t, flat(30, 20, green)))
	return root
}

func TestOpenFolder(t *testing.T) {
	root := writeImageFolder(t)
	train, test, err := OpenFolder(root, 4, 6)
	require.NoError(t, err)
	assert.Equal(t, []string{"cat", "dog"}, train.Classes)
	assert.Equal(t, train.Classes, test.Classes)
	assert.Equal(t, []int32{0, 0, 1}, train.Labels)
	assert.Equal(t, []int32{1}, test.Labels, "val's labels are train's classes")
	pix := pixels(t, train)
	for i := range 4 * 6 {
		assert.Equal(t, []uint8{200, 10, 20}, pix[3*i:3*i+3])
		for c, want := range []int{200, 10, 20} { // JPEG rounds
			assert.InDelta(t, want, int(pix[4*6*3+3*i+c]), 3)
		}
	}

	require.NoError(t, os.Rename(filepath.Join(root, "val"), filepath.Join(root, "test")))
	_, test, err = OpenFolder(root, 4, 6)
	require.NoError(t, err)
	assert.Equal(t, 1, test.Len())

	require.NoError(t, os.RemoveAll(filepath.Join(root, "train")))
	train, test, err = Open(root, 4)
	require.NoError(t, err)
	assert.Nil(t, train)
	assert.Equal(t, []string{"dog"}, test.Classes)
	assert.Equal(t, []int32{0}, test.Labels)
}

// TestFolderCrop: a wide image keeps its middle, an image of the right size every pixel.
func TestFolderCrop(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 10, 4))
	for i := range m.Pix {
		m.Pix[i] = uint8(i)
	}
	path := writeFile(t, t.TempDir(), "m.png", encodePNG(t, m))
	same, middle := make([]uint8, 4*10*3), make([]uint8, 4*4*3)
	require.NoError(t, readImage(same, path, 4, 10))
	require.NoError(t, readImage(middle, path, 4, 4))
	for i, p := range m.Pix {
		assert.Equal(t, []uint8{p, p, p}, same[3*i:3*i+3])
		if y, x := i/10, i%10-3; x >= 0 && x < 4 {
			assert.Equal(t, p, middle[3*(4*y+x)])
		}
	}
}

func TestFolderErrors(t *testing.T) {
	for _, c := range []struct {
		name, err string
		spoil     func(t *testing.T, root string)
	}{
		{"no val", "no such file", func(t *testing.T, root string) { os.RemoveAll(filepath.Join(root, "val")) }},
		{"no classes", "val: no class folders", func(t *testing.T, root string) { os.RemoveAll(filepath.Join(root, "val", "dog")) }},
		{"unknown class", `class "cow" has no folder`, func(t *testing.T, root string) { writeFile(t, root, "val/cow/a.png", nil) }},
		{"empty class", "cow: no .jpg", func(t *testing.T, root string) { writeFile(t, root, "train/cow/notes", nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := writeImageFolder(t)
			c.spoil(t, root)
			_, _, err := OpenFolder(root, 4, 4)
			require.ErrorContains(t, err, c.err)
			assert.ErrorContains(t, err, root)
		})
	}
	_, _, err := OpenFolder("x", 0, 4)
	require.ErrorContains(t, err, "0×4")
}

func TestUnreadableImages(t *testing.T) {
	whole := encodePNG(t, flat(8, 8, red))
	bomb := bytes.Clone(whole) // claims 65535×65535 pixels, its checksum right
	binary.BigEndian.PutUint32(bomb[16:], 65535)
	binary.BigEndian.PutUint32(bomb[20:], 65535)
	binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(bomb[12:29]))
	for name, c := range map[string]struct {
		b   []byte
		err string
	}{
		"empty": {nil, "unknown format"},
		"text":  {[]byte("not an image"), "unknown format"},
		"cut":   {whole[:len(whole)/2], "unexpected EOF"},
		"bomb":  {bomb, "65535×65535 pixels"},
	} {
		root := writeImageFolder(t)
		path := writeFile(t, root, "train/dog/z.png", c.b)
		train, _, err := OpenFolder(root, 4, 4)
		require.NoError(t, err)
		err = train.Read(make([]uint8, 48), 3)
		require.ErrorContains(t, err, c.err, name)
		assert.ErrorContains(t, err, path)
		require.NoError(t, os.Remove(path))
		require.ErrorIs(t, train.Read(make([]uint8, 48), 3), os.ErrNotExist)
	}
}
