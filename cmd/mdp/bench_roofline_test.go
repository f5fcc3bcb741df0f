package main

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"mdp/bench"
)

func TestSortRoofs(t *testing.T) {
	roofs := []bench.Roof{{Call: "a", LatencyNS: 10, BoundNS: 9}, {Call: "b", LatencyNS: 30, BoundNS: 10}, {Call: "c", LatencyNS: 40, BoundNS: 30}, {Call: "d", LatencyNS: 9, BoundNS: 1}}
	for by, want := range map[string]string{"order": "abcd", "time": "cbad", "share": "dbca", "lost": "bcda"} {
		sorted, got := slices.Clone(roofs), ""
		sortRoofs(sorted, by)
		for _, r := range sorted {
			got += r.Call
		}
		assert.Equal(t, want, got, by)
	}
}
