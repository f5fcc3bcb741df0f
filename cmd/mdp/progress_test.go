package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"mdp/prune"
)

func TestBar(t *testing.T) {
	start := time.Now()
	p := begin(prune.Event{Stage: prune.StageTrain, Kind: prune.Begin}, 128, start)
	assert.Equal(t, "train           0:05", p.bar(80, start.Add(5*time.Second)), "nothing counted yet")

	// It goes on at step 400 of 936, and does 100 steps in 10 s.
	p.update(prune.Event{Done: 400, Total: 936, Unit: "steps"}, start.Add(10*time.Second))
	p.update(prune.Event{Done: 500, Total: 936, Unit: "steps", Text: "loss 0.512"}, start.Add(20*time.Second))
	now := start.Add(20 * time.Second)
	assert.Equal(t, "train           [========        ]  500/936 steps  1280 images/s     0:44 left", p.bar(78, now))
	assert.Equal(t, "train           500/936 steps, 1280 images/s, 0:44 left, loss 0.512", p.line(now))
	for width := range 200 {
		assert.LessOrEqual(t, utf8.RuneCountInString(p.bar(width, now)), width)
	}
}

func TestClock(t *testing.T) {
	assert.Equal(t, "0:00", clock(0))
	assert.Equal(t, "12:05", clock(725*time.Second))
	assert.Equal(t, "1:02:03", clock(3723*time.Second))
}

func TestPlainLinesAreFew(t *testing.T) {
	var b bytes.Buffer
	tell, done := narrate(&b, false, 32)
	tell(prune.Event{Stage: prune.StageScore, Kind: prune.Begin})
	for i := range 1000 {
		tell(prune.Event{Stage: prune.StageScore, Kind: prune.Progress, Done: i + 1, Total: 1000, Unit: "batches"})
	}
	tell(prune.Event{Stage: prune.StageScore, Kind: prune.End})
	tell(prune.Event{Stage: prune.StageSolve, Kind: prune.Skip})
	done()
	assert.Equal(t, 3, strings.Count(b.String(), "\n"), b.String())
}
