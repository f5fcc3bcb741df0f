//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	var got samples
	require.ErrorContains(t, writeTable(&strings.Builder{}, got), "no benchmark for")
	got.read("goos: linux\nBenchmarkOptimum/rn50_a \t 10\t 2000000 ns/op\t 5 B/op\n" +
		"BenchmarkOptimum/rn50_a \t 10\t 4000000 ns/op\nBenchmarkOptimum/rn50_a 10 9000000 ns/op\nPASS\n")
	require.Equal(t, []float64{4}, got.medians("^Optimum/rn50"))
	for _, b := range bounds[1:] {
		got.add(strings.Trim(strings.ReplaceAll(b.pattern, ".*", "x"), "^"), b.must*1.5)
	}
	var text strings.Builder
	require.NoError(t, writeTable(&text, got))
	require.Contains(t, text.String(), "| one budget, published ResNet-50, ms | 5 | 1 | 4 | met, short of the aim |\n")
	require.Contains(t, text.String(), "| peak memory, steps of 8, MB | 300 | – | 450 | missed |\n")
}

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{"0": 0, "0.283": 0.28312, "1.5": 1.5, "17": 17.0, "16.9": 16.94, "3812": 3812.4, "100": 100} {
		require.Equal(t, want, number(v))
	}
}
