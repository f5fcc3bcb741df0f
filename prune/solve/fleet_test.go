package solve

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two devices' problems together are the problem with the second one's latency as a cost.
func TestBeside(t *testing.T) {
	two := twoDevices(readInstance(t, "mbv1_mdp_10"))
	first, second := two.alone(0), two.alone(1)
	second.Capacity = two.Costs[0].Capacity
	p, err := Beside(first, second, "second")
	require.NoError(t, err)
	want, err := Joint(context.Background(), two, budgetsOf(two), Options{})
	require.NoError(t, err)
	got, err := Joint(context.Background(), p, budgetsOf(p), Options{})
	require.NoError(t, err)
	require.Equal(t, Optimal, got.Status)
	require.Equal(t, want.Objective, got.Objective)
	require.Equal(t, want.Costs, got.Costs)
	require.Empty(t, first.Costs, "the problem given stays as it was")

	_, err = Beside(first, readInstance(t, "rn50_mdp_04"), "other")
	require.ErrorContains(t, err, "other has 37 groups")
	other := readInstance(t, "mbv1_mdp_10")
	other.Layers[2].Name = "conv7"
	_, err = Beside(first, other, "other")
	require.ErrorContains(t, err, `layer 2 of other is "conv7"`)
	other.Groups[1].Options++
	_, err = Beside(first, other, "other")
	require.ErrorContains(t, err, "group 1 of other")
	three, err := Beside(p, second, "third")
	require.NoError(t, err)
	_, err = Beside(three, second, "fourth")
	require.ErrorContains(t, err, "at most 2")
}
