package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// unknown stands where a value is not known.
const unknown = "–"

// percent writes a fraction of 1 as "91.32".
func percent(v *float64) string { return scaled(v, 100, "%.2f") }

// milliseconds writes a latency with four digits: "9.844", "12.31", "1043".
func milliseconds(v *float64) string {
	if v == nil {
		return unknown
	}
	return digits(*v)
}

// speedup writes a ratio as "1.97x".
func speedup(v *float64) string { return scaled(v, 1, "%.2fx") }

func scaled(v *float64, by float64, format string) string {
	if v == nil || !finite(by**v) {
		return unknown
	}
	return fmt.Sprintf(format, by**v)
}

// digits writes v with four significant digits, and never an exponent below 1e7.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e7:
		return fmt.Sprintf("%.3g", v)
	case a >= 999.95:
		return fmt.Sprintf("%.0f", v)
	case a >= 99.995:
		return fmt.Sprintf("%.1f", v)
	case a >= 9.9995:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

// si writes a count with four digits and its prefix: "175.3 k", "25.56 M".
func si(n int64) string {
	if n <= 0 {
		return unknown
	}
	v := float64(n)
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	for _, prefix := range []string{" k", " M", " G", " T", " P"} {
		v /= 1000
		if v < 999.95 {
			return digits(v) + prefix
		}
	}
	return fmt.Sprintf("%.2e", float64(n))
}

// seconds writes a duration: "0.42 s", "12.3 s", "3 min 05 s".
func seconds(s float64) string {
	switch {
	case s >= 60 && s < 1e9:
		t := int(math.Round(s))
		return fmt.Sprintf("%d min %02d s", t/60, t%60)
	case s >= 10:
		return fmt.Sprintf("%.1f s", s)
	default:
		return fmt.Sprintf("%.2f s", s)
	}
}

// signed writes a difference with a true minus sign: "−0.30", "+0.12".
func signed(v float64) string {
	s := fmt.Sprintf("%+.2f", v)
	if s == "-0.00" || s == "+0.00" {
		return "0.00"
	}
	return strings.Replace(s, "-", "−", 1)
}
