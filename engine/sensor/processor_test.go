package sensor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProcessor(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	own := func(user, system string) {
		write("self/stat", "7 (a (b) c) R 1 2 3 4 5 6 7 8 9 10 "+user+" "+system+" 0 0\n")
	}
	none := newProcessor(dir, dir)
	assert.Contains(t, none.Settings().Source, "nobody tells of this processor")
	_, err := none.Read()
	require.NoError(t, err)

	write("stat", "cpu  100 0 0 900 0 0 0 0 0 0\ncpu0 1\n")
	own("10", "5")
	p := newProcessor(dir, dir)
	assert.Equal(t, Settings{Source: "Linux"}, p.Settings())
	write("cpu0/cpufreq/scaling_governor", "performance\n")
	assert.Equal(t, "performance", p.Settings().Governor)

	write("stat", "cpu  130 5 10 950 3 1 1 0 0 0\n") // 100 ticks, 47 of them busy
	own("20", "12")                                  // 17 of those ours
	r, err := p.Read()
	require.NoError(t, err)
	assert.InDelta(t, 0.30, r.Busy, 1e-12)
	r, err = p.Read()
	require.NoError(t, err)
	assert.Zero(t, r.Busy, "no time has passed")

	write("stat", "cpu  x\n")
	_, err = p.Read()
	require.ErrorContains(t, err, "stat")
	write("stat", "cpu  130 5 10 950 3 1 1 0 0 0\n")
	write("self/stat", "7 (a) R 1\n")
	_, err = p.Read()
	require.ErrorContains(t, err, "has 2 fields")
}

// Of this machine, whatever it is, it knows or says why not.
func TestThisProcessor(t *testing.T) {
	p := NewProcessor()
	assert.NotEmpty(t, p.Settings().Source)
	r, err := p.Read()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, r.Busy, 0.0)
	require.NoError(t, p.Close())
}
