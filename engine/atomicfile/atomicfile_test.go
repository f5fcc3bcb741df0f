package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, Write(path, text("one")))
	require.NoError(t, Write(path, text("two")))

	full := errors.New("no space left on device")
	err := Write(path, func(w io.Writer) error { text("thr")(w); return full })
	require.ErrorIs(t, err, full)
	require.ErrorContains(t, err, path)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "two", string(b), "what was there stays")

	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), ".file.tmp"), []byte("left by a killed process"), 0o644))
	require.NoError(t, Write(path, text("four")))
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)

	require.ErrorContains(t, Write(filepath.Join(path, "beyond"), text("")), "not a directory")
}

func TestWriteHere(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, Write("file", text("x")))
}
