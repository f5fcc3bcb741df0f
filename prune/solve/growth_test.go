package solve

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkGrowth shows how cost grows with size: finer channel steps on
// ResNet-50's graph, and more blocks in the third stage at one step. Plot it with
//
//	go test -run '^$' -bench Growth -benchtime 3x ./prune/solve | go run ./prune/solve/internal/plotgrowth prune/solve/growth.svg
func BenchmarkGrowth(b *testing.B) {
	ctx := context.Background()
	ask := map[string]func(p *Problem) error{
		"one budget": func(p *Problem) error {
			_, err := Optimum(ctx, p, p.Capacity, Options{})
			return err
		},
		"two devices": func(p *Problem) error {
			_, err := Joint(ctx, p, budgetsOf(p), Options{})
			return err
		},
		"whole front": func(p *Problem) error {
			_, err := wholeFront(ctx, p, Options{})
			return err
		},
	}
	bench := func(series, question string, p *Problem) {
		options := 0
		for _, g := range p.Groups {
			options += g.count()
		}
		p.Capacity = share(p, 0.5)
		if question == "two devices" {
			p = twoDevices(p)
		}
		b.Run(fmt.Sprintf("%s, %s/%d", question, series, options), func(b *testing.B) {
			for b.Loop() {
				if err := ask[question](p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(options), "options")
		})
	}
	for _, step := range []int{64, 32, 16, 8, 4} {
		bench("finer steps", "one budget", resnet(resnet50, step))
	}
	for _, step := range []int{64, 32, 16, 8} {
		bench("finer steps", "two devices", resnet(resnet50, step))
		bench("finer steps", "whole front", resnet(resnet50, step))
	}
	for _, blocks := range []int{3, 6, 12, 24, 48} {
		stages := []int{3, 4, blocks, 3}
		bench("more blocks", "one budget", resnet(stages, 32))
		bench("more blocks", "two devices", resnet(stages, 32))
		if blocks <= 24 {
			bench("more blocks", "whole front", resnet(stages, 32))
		}
	}
}
