package prune

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLockSeesWhatOthersDid: a folder opened while another process worked in it
// knows, once it has the lock, the steps that one did.
func TestLockSeesWhatOthersDid(t *testing.T) {
	dir := t.TempDir()
	open := func() *Folder {
		f, err := OpenFolder(dir)
		require.NoError(t, err)
		return f
	}
	work := func(f *Folder, name string) (skipped bool) {
		skipped, err := f.Step(name, 1, nil, nil, func() error { return nil })
		require.NoError(t, err)
		return skipped
	}
	first, second := open(), open()
	require.NoError(t, first.Lock())
	require.ErrorContains(t, second.Lock(), "another process")
	require.False(t, work(first, "a"))
	require.NoError(t, first.Close())

	require.NoError(t, second.Lock())
	require.False(t, work(second, "b"))
	require.True(t, work(second, "a"))
	require.NoError(t, second.Close())
	third := open()
	require.Len(t, third.records, 2)
	require.NoError(t, third.Close())

	require.NoError(t, os.WriteFile(third.Path(recordFile), []byte("null"), 0o644))
	fourth := open()
	require.NoError(t, fourth.Lock())
	require.False(t, work(fourth, "a"))
	require.NoError(t, fourth.Close())
}

// A folder that was made for nothing goes, but not from under another process,
// and who opened it meanwhile is told.
func TestFolderMadeForNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "new")
	open := func() *Folder {
		f, err := OpenFolder(dir)
		require.NoError(t, err)
		return f
	}
	first, second := open(), open()
	require.NoError(t, second.Lock())
	require.NoError(t, first.Close())
	require.FileExists(t, second.Path(logFile), "second works there")
	require.NoError(t, second.Close())
	require.DirExists(t, dir, "second did not make it")

	require.NoError(t, os.RemoveAll(dir))
	first, second = open(), open()
	require.NoError(t, first.Close())
	require.NoDirExists(t, dir)
	require.ErrorContains(t, second.Lock(), "try again")
	require.NoError(t, second.Close())

	first = open()
	require.NoError(t, first.WriteJSON("config.json", 1))
	require.NoError(t, first.Close())
	require.FileExists(t, first.Path("config.json"))
}
