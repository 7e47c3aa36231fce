package python

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
)

var errStopped = errors.New("the model has no value there")

// SciPy calls Go functions: with arrays that it owns and writes to again, from C and from Fortran.
func TestCallbackSciPy(t *testing.T) {
	in := interpreter(t)
	rosenbrock := func(x []float64) float64 {
		return 100*math.Pow(x[1]-x[0]*x[0], 2) + math.Pow(1-x[0], 2)
	}
	gradient := func(x []float64) []float64 {
		return []float64{-400*x[0]*(x[1]-x[0]*x[0]) - 2*(1-x[0]), 200 * (x[1] - x[0]*x[0])}
	}
	both := func(x []float64) (float64, []float64) { return rosenbrock(x), gradient(x) }
	var calls atomic.Int32
	variables := KW{
		"rosenbrock": rosenbrock, "gradient": gradient, "both": both,
		"square": func(x float64) float64 { return x * x },
		"scaled": func(x, k float64) float64 { return k * x },
		"decay":  func(_ float64, y []float64) []float64 { return []float64{-0.5 * y[0], -2 * y[1]} },
		"counted": func(x []float64) float64 {
			calls.Add(1)
			return rosenbrock(x)
		},
		"model": func(x []float64, a, b float64) []float64 {
			y := make([]float64, len(x))
			for i := range x {
				y[i] = a*x[i] + b
			}
			return y
		},
		"norm": func(x []float64) float64 { return math.Hypot(x[0], x[1]) },
	}
	for name, row := range map[string]struct {
		source string
		want   []float64
	}{
		"minimize":         {"result = optimize.minimize(rosenbrock, [-1.2, 1.0], method='Nelder-Mead', options={'xatol': 1e-8, 'fatol': 1e-8}).x", []float64{1, 1}},
		"minimize default": {"result = optimize.minimize(rosenbrock, [-1.2, 1.0]).x", []float64{1, 1}},
		"minimize jac":     {"result = optimize.minimize(rosenbrock, [-1.2, 1.0], jac=gradient, method='BFGS').x", []float64{1, 1}},
		"minimize jac L":   {"result = optimize.minimize(rosenbrock, [-1.2, 1.0], jac=gradient, method='L-BFGS-B').x", []float64{1, 1}},
		"minimize both":    {"result = optimize.minimize(both, [-1.2, 1.0], jac=True).x", []float64{1, 1}},
		"evolution":        {"result = optimize.differential_evolution(counted, [(-2, 2), (-2, 2)], rng=1, tol=1e-10).x", []float64{1, 1}},
		"root_scalar":      {"result = np.array([optimize.brentq(lambda x: square(x) - 2, 0, 2)])", []float64{math.Sqrt2}},
		"curve_fit":        {"x = np.linspace(0, 1, 50)\nresult = optimize.curve_fit(model, x, 3 * x + 4)[0]", []float64{3, 4}},
		"quad":             {"result = np.array([integrate.quad(square, 0, 1)[0]])", []float64{1. / 3}},
		"quad args":        {"result = np.array([integrate.quad(scaled, 0, 1, args=(4.0,))[0]])", []float64{2}},
		"solve_ivp":        {"result = integrate.solve_ivp(decay, (0, 2), [1.0, 1.0], rtol=1e-9, atol=1e-12).y[:, -1].copy()", []float64{math.Exp(-1), math.Exp(-4)}},
		"solve_ivp LSODA":  {"result = integrate.solve_ivp(decay, (0, 2), [1.0, 1.0], method='LSODA', rtol=1e-9, atol=1e-12).y[:, -1].copy()", []float64{math.Exp(-1), math.Exp(-4)}},
		"odeint":           {"result = integrate.odeint(decay, [1.0, 1.0], [0, 2], tfirst=True, rtol=1e-10, atol=1e-12)[-1].copy()", []float64{math.Exp(-1), math.Exp(-4)}},
		"vectorize":        {"result = np.vectorize(square)(np.array([1.0, 2.0, 3.0]))", []float64{1, 4, 9}},
		"frompyfunc":       {"result = np.frompyfunc(square, 1, 1)(np.array([1.0, 2.0])).astype(float)", []float64{1, 4}},
		"along axis":       {"result = np.apply_along_axis(norm, 1, np.array([[3.0, 4.0], [6.0, 8.0]]))", []float64{5, 10}},
		"fromfunction":     {"result = np.fromiter(map(square, np.arange(3.0)), float)", []float64{0, 1, 4}},
		"sorted":           {"result = np.array(sorted([3.0, -1.0, 2.0], key=square))", []float64{-1, 2, 3}},
		"partial":          {"import functools\nresult = np.array([functools.partial(scaled, 3.0)(2.0), functools.reduce(scaled, [1.0, 2.0, 4.0])])", []float64{6, 8}},
		"lru_cache":        {"import functools\ncached = functools.lru_cache(square)\nresult = np.array([cached(3.0), cached(3.0), cached.cache_info().hits])", []float64{9, 9, 1}},
		"pool":             {"from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(8) as pool: result = np.array(list(pool.map(square, np.arange(500.0)))[-2:])", []float64{498 * 498, 499 * 499}},
		"pool submit":      {"from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as pool: result = np.array([pool.submit(scaled, 2.0, 5.0).result()])", []float64{10}},
		"multiprocessing":  {"from multiprocessing.pool import ThreadPool\nwith ThreadPool(4) as pool: result = np.array(pool.map(square, [1.0, 2.0]))", []float64{1, 4}},
		"SciPy workers":    {"from multiprocessing.pool import ThreadPool\nwith ThreadPool(4) as pool: result = optimize.brute(rosenbrock, [(-2, 2), (-2, 2)], Ns=20, workers=pool.map)", []float64{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got := passes[[]float64](t, in, "from scipy import integrate, optimize\n"+row.source, variables)
			if len(got) != len(row.want) {
				t.Fatalf("got %v, want %v", got, row.want)
			}
			for i := range got {
				if math.Abs(got[i]-row.want[i]) > 1e-4 {
					t.Errorf("got %v, want %v", got, row.want)
				}
			}
		})
	}
	if calls.Load() == 0 {
		t.Error("differential_evolution did not call Go")
	}
}

// What a Go function does in the middle of SciPy's work comes out of the call that started it.
func TestCallbackSciPyFails(t *testing.T) {
	in := interpreter(t)
	for name, source := range map[string]string{
		"minimize":  "optimize.minimize(f, [1.0, 1.0])",
		"quad":      "integrate.quad(lambda x: f(np.array([x])), 0, 1)",
		"solve_ivp": "integrate.solve_ivp(lambda t, y: np.array([f(y)]), (0, 1), [1.0])",
		"odeint":    "integrate.odeint(lambda t, y: np.array([f(y)]), [1.0], [0, 1], tfirst=True)",
		"vectorize": "np.vectorize(lambda x: f(np.array([x])))(np.arange(20.0))",
		"sorted":    "sorted(range(20), key=lambda x: f(np.array([float(x)])))",
		"pool":      "from multiprocessing.pool import ThreadPool\nwith ThreadPool(3) as pool: pool.map(f, [np.zeros(1)] * 20)",
	} {
		t.Run(name, func(t *testing.T) {
			source := "from scipy import integrate, optimize\n" + source
			after := func(end func() error) func([]float64) (float64, error) {
				var calls atomic.Int32
				return func(x []float64) (float64, error) {
					if calls.Add(1) > 3 {
						return 0, end()
					}
					return x[0], nil
				}
			}
			_, err := execute[any](t, in, source, KW{"f": after(func() error { return errStopped })})
			if !errors.Is(err, errStopped) {
				t.Errorf("got %v", err)
			}
			if name == "pool" {
				return // a panic on a thread of the pool ends that thread's work only
			}
			func() {
				defer func() {
					if got := recover(); got != any(errStopped) {
						t.Errorf("recovered %v", got)
					}
				}()
				_, err := execute[any](t, in, source, KW{"f": after(func() error { panic(errStopped) })})
				t.Errorf("no panic, but %v", err)
			}()
			ctx, cancel := context.WithCancel(context.Background())
			cancelled := func(ctx context.Context, x []float64) (float64, error) {
				cancel()
				return x[0], ctx.Err()
			}
			if _, err := executeContext[any](t, ctx, in, source, KW{"f": cancelled}); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}
