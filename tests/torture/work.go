package torture

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

//go:embed python
var files embed.FS

// World is an interpreter and what the kinds of work use of it.
type World struct {
	In *python.Interpreter
	// Interrupted counts the calls that a context's end hit, Finished those that came first.
	Interrupted, Finished atomic.Int64

	resources, call, count, same, numbers, later, nested, evaluate, keepAndReturn *python.Function
	sum                                                                           func(context.Context, []float64) (float64, error)
	doubled                                                                       func(context.Context, []float64) ([]float64, error)
	workers                                                                       []*python.Worker
	keys                                                                          atomic.Int64
}

// Config returns a configuration that finds the module torturing.
func Config() python.Config {
	return python.Config{Modules: Must(fs.Sub(files, "python")), MaxConcurrent: 4, CancelGrace: 2 * time.Minute}
}

// Start starts Python and gets hold of what the work needs.
func Start() *World { return StartWith(Config()) }

// StartWith is [Start] with a configuration that was changed.
func StartWith(config python.Config) *World {
	in := Must(python.Start(config))
	w := &World{In: in}
	w.sum = Must(python.Bind[func(context.Context, []float64) (float64, error)](in, "torturing:total"))
	w.doubled = Must(python.Bind[func(context.Context, []float64) ([]float64, error)](in, "torturing:doubled"))
	for name, f := range map[string]**python.Function{
		"resources": &w.resources, "call": &w.call, "count": &w.count, "same": &w.same, "numbers": &w.numbers, "later": &w.later,
		"nested": &w.nested, "evaluate": &w.evaluate, "keep_and_return": &w.keepAndReturn,
	} {
		*f = Must(in.Func("torturing:" + name))
	}
	host := in.Module("host")
	Check(host.Type("Account", (*Account)(nil), python.Constructor(newAccount), python.SnakeCase()))
	Check(host.Func("fetch", func(ctx context.Context, n int) (int, error) { return n + 1, ctx.Err() }, python.Async()))
	for range 2 {
		w.workers = append(w.workers, in.Worker(context.Background()))
	}
	return w
}

// Account is a Go type that Python sees.
type Account struct {
	mu      sync.Mutex
	balance int
	// Other is another account, or the account itself.
	Other *Account
}

func newAccount(balance int) (*Account, error) {
	if balance < 0 {
		return nil, python.NewError(python.ValueError, errCredit)
	}
	return &Account{balance: balance}, nil
}

// Deposit changes the balance.
func (a *Account) Deposit(n int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.balance += n
	return a.balance
}

// Me returns the account.
func (a *Account) Me() *Account { return a }

var errCredit = errors.New("no credit")

// Run calls a function of the module torturing for its effect.
func (w *World) Run(ctx context.Context, name string, arguments ...any) error {
	f, err := w.In.Func("torturing:" + name)
	if err != nil {
		return err
	}
	defer f.Close()
	o, err := f.Call(ctx, arguments...)
	if err != nil {
		return err
	}
	return o.Close()
}

// Get calls a function of the module torturing and converts its result.
func Get[T any](w *World, name string, arguments ...any) (T, error) {
	var none T
	f, err := w.In.Func("torturing:" + name)
	if err != nil {
		return none, err
	}
	defer f.Close()
	o, err := f.Call(context.Background(), arguments...)
	if err != nil {
		return none, err
	}
	defer o.Close()
	return python.As[T](o)
}

// Kind is a kind of work. It checks what it does, and leaves nothing behind.
type Kind struct {
	Name string
	// Share is how often it comes among all.
	Share int
	Do    func(w *World, r *rand.Rand) error
}

// Kinds are all kinds of work.
var Kinds = []Kind{
	{"call", 100, func(w *World, r *rand.Rand) error { return w.plain(r, 10) }},
	{"large", 10, func(w *World, r *rand.Rand) error { return w.plain(r, 20_000) }},
	{"values", 20, (*World).values},
	{"result", 10, (*World).results},
	{"mut", 20, (*World).mut},
	{"batch", 5, (*World).batch},
	{"retain", 20, (*World).retain},
	{"retained result", 5, (*World).retainedResult},
	{"gift", 10, (*World).gift},
	{"borrow", 5, (*World).borrow},
	{"error", 10, (*World).failing},
	{"conversion", 5, (*World).conversion},
	{"callback", 20, (*World).callback},
	{"nested", 2, (*World).nesting},
	{"thread", 2, (*World).thread},
	{"panic", 1, (*World).panics},
	{"Goexit", 1, (*World).goexit},
	{"destroyed", 3, (*World).destroyed},
	{"class", 10, (*World).class},
	{"channel", 2, (*World).channel},
	{"file", 2, (*World).file},
	{"sequence", 5, (*World).sequence},
	{"iterate", 5, (*World).iterate},
	{"task", 5, (*World).task},
	{"async", 2, (*World).async},
	{"cancel", 10, (*World).cancel},
	{"cancel early", 5, (*World).cancelEarly},
	{"capture", 2, (*World).capture},
	{"worker", 5, (*World).worker},
	{"worker closed", 1, (*World).workerClosed},
	{"close", 10, (*World).closing},
	{"forgotten", 10, (*World).forgotten},
	{"dump", 1, (*World).dump},
	{"garbage", 1, (*World).garbage},
}

// shares holds each kind as often as it is to come.
var shares = sync.OnceValue(func() (all []Kind) {
	for _, k := range Kinds {
		for range k.Share {
			all = append(all, k)
		}
	}
	return all
})

// Any does some work at random.
func (w *World) Any(r *rand.Rand) error {
	all := shares()
	return w.Do(all[r.IntN(len(all))], r)
}

// Do does work of a kind, and names it in the error.
func (w *World) Do(k Kind, r *rand.Rand) error {
	if err := k.Do(w, r); err != nil {
		return fmt.Errorf("%s: %w", k.Name, err)
	}
	return nil
}

// Warm does some work of each kind, which fills caches and starts what is started once.
func (w *World) Warm() {
	Check(w.Run(context.Background(), "all_routes", python.LendMut(make([]float64, 100))))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			r := Random(-i)
			for range 5 {
				for _, k := range Kinds {
					Check(w.Do(k, r))
				}
			}
		})
	}
	all.Wait()
}

// Mix does work on a number of goroutines until `more` says that it is enough, and returns how much was done.
func (w *World) Mix(goroutines int, more func() bool) (done int64) {
	var all sync.WaitGroup
	var count atomic.Int64
	for i := range goroutines {
		all.Go(func() {
			for r := Random(i); more(); count.Add(1) {
				Check(w.Any(r))
			}
		})
	}
	all.Wait()
	return count.Load()
}

// UpTo returns a function that says so often that there is more to do.
func UpTo(n int) func() bool {
	var count atomic.Int64
	return func() bool { return count.Add(1) <= int64(n) }
}

// equal compares what came with what was wanted.
func equal[T comparable](got, want T, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("got %v, want %v", got, want)
	}
	return err
}

// want turns the error that had to come into success.
func want(err, wanted error) error {
	if errors.Is(err, wanted) {
		return nil
	}
	return fmt.Errorf("got error %w, want %w", err, wanted)
}

// closed closes what came.
func closed(o *python.Object, err error) error {
	if err == nil {
		err = o.Close()
	}
	return err
}

// Least is how many numbers a slice has at least that is lent: where GODEBUG=efence=1 takes freed pages out of the address
// space, so many that the slice has pages of its own, as everything above 32 KiB has.
var Least = func() int {
	if strings.Contains(os.Getenv("GODEBUG"), "efence=1") {
		return 5_000
	}
	return 1
}()

// data returns numbers, and their sum.
func data(r *rand.Rand, n int) (numbers []float64, sum float64) {
	numbers = make([]float64, Least+r.IntN(n))
	first := float64(r.IntN(1000))
	for i := range numbers {
		numbers[i] = first + float64(i)
		sum += numbers[i]
	}
	return numbers, sum
}

func (w *World) plain(r *rand.Rand, size int) error {
	ctx := context.Background()
	numbers, sum := data(r, size)
	got, err := w.sum(ctx, numbers)
	if err := equal(got, sum, err); err != nil {
		return err
	}
	twice, err := w.doubled(ctx, numbers)
	if err == nil && (len(twice) != len(numbers) || twice[len(twice)-1] != 2*numbers[len(numbers)-1]) {
		err = fmt.Errorf("got %v for %v", twice, numbers)
	}
	return err
}

func (w *World) values(r *rand.Rand) error {
	type inner struct {
		Name string             `py:"name"`
		At   time.Time          `py:"at"`
		Map  map[string][]int64 `py:"map"`
		Data []float32          `py:"data"`
		Blob []byte             `py:"blob"`
		None *int               `py:"none"`
		Big  complex128         `py:"big"`
	}
	sent := inner{fmt.Sprint("é", r.IntN(1000)), time.Unix(r.Int64N(1<<31), 0).UTC(), map[string][]int64{"k": {r.Int64(), 2}}, []float32{1, 2}, []byte{0, 255}, nil, 1i}
	o, err := w.same.Call(context.Background(), sent)
	if err != nil {
		return err
	}
	defer o.Close()
	got, err := python.As[inner](o)
	return equal(fmt.Sprint(got), fmt.Sprint(sent), err)
}

func (w *World) results(r *rand.Rand) error {
	n := r.IntN(50)
	o, err := w.nested.Call(context.Background(), n)
	if err != nil {
		return err
	}
	defer o.Close()
	type row struct {
		Name  string  `py:"name"`
		Value float64 `py:"value"`
		Blob  []byte  `py:"blob"`
		None  *string `py:"none"`
	}
	type rows struct {
		Rows []row `py:"rows"`
	}
	got, err := python.As[rows](o)
	if err == nil && n > 0 && (len(got.Rows) != n || got.Rows[n-1].Name != fmt.Sprint("é", n-1) || len(got.Rows[n-1].Blob) != n-1) {
		err = fmt.Errorf("got %+v for %d", got, n)
	}
	return err
}

func (w *World) mut(r *rand.Rand) error {
	numbers, _ := data(r, 3000)
	last := numbers[len(numbers)-1]
	err := w.Run(context.Background(), "scale", python.LendMut(numbers), 3.0)
	return equal(numbers[len(numbers)-1], 3*last, err)
}

func (w *World) batch(r *rand.Rand) error {
	inputs := make([]any, r.IntN(400))
	bad := -1
	for i := range inputs {
		inputs[i] = []float64{float64(i), 1}
	}
	if len(inputs) > 0 && r.IntN(2) == 0 {
		bad = r.IntN(len(inputs))
		inputs[bad] = make(chan<- error) // which has no sum
	}
	f, err := w.In.Func("torturing:total")
	if err != nil {
		return err
	}
	defer f.Close()
	got, err := f.Map(context.Background(), inputs)
	var failed *python.BatchError
	if bad >= 0 != errors.As(err, &failed) {
		return fmt.Errorf("got %w, and input %d is bad", err, bad)
	}
	for i, o := range got {
		if i == bad {
			if o != nil || failed.Errors[i] == nil {
				return fmt.Errorf("input %d: got %v", i, o)
			}
			continue
		}
		if o == nil {
			return fmt.Errorf("input %d: got %w", i, failed.Errors[i])
		}
		sum, err := python.As[float64](o)
		if err := equal(sum, float64(i+1), err); err != nil {
			return err
		}
		if i%7 > 0 { // the others are the garbage collector's
			_ = o.Close()
		}
	}
	return nil
}

// retain lends memory that Python keeps for a while, by any route, and looks whether it stays what it is.
func (w *World) retain(r *rand.Rand) error {
	ctx, key, route := context.Background(), w.keys.Add(1), r.IntN(1000)
	numbers, _ := data(r, 3000)
	numbers = append(numbers, make([]float64, len(numbers)%2+4)...) // even, for the route that reshapes
	lent := any(python.Lend(numbers))
	if r.IntN(2) == 0 {
		lent = python.LendMut(numbers)
	}
	var err error
	switch r.IntN(4) {
	case 0:
		err = w.Run(ctx, "keep", key, route, lent)
	case 1:
		err = want(w.Run(ctx, "keep_and_raise", key, route, lent), python.ValueError)
	case 2: // from within a Go function
		err = w.Run(ctx, "call", func(ctx context.Context) error { return w.Run(ctx, "keep", key, route, lent) })
	default:
		var o *python.Object
		if o, err = w.keepAndReturn.Go(ctx, key, route, lent).Wait(ctx); err == nil && r.IntN(2) == 0 {
			err = o.Close()
		}
	}
	if err != nil {
		return err
	}
	numbers, lent = nil, nil
	for range 1 + r.IntN(3) {
		if err := w.plain(r, 1000); err != nil {
			return err
		}
		intact, err := Get[bool](w, "intact", key)
		if err := equal(intact, true, err); err != nil {
			return fmt.Errorf("route %d: what Python kept: %w", route, err)
		}
	}
	if r.IntN(5) == 0 {
		return w.Run(ctx, "let_go_later", key, 0.01)
	}
	return w.Run(ctx, "let_go", key)
}

// retainedResult gets memory back that it has lent.
func (w *World) retainedResult(r *rand.Rand) error {
	numbers, sum := data(r, 3000)
	o, err := w.same.Call(context.Background(), numbers)
	if err != nil {
		return err
	}
	numbers = nil
	if err := w.plain(r, 1000); err != nil {
		return err
	}
	got, err := python.As[[]float64](o)
	if err != nil {
		return err
	}
	for _, x := range got {
		sum -= x
	}
	if r.IntN(3) > 0 {
		_ = o.Close()
	}
	return equal(sum, 0, nil)
}

// gift gives memory to Python by the result of a Go function.
func (w *World) gift(r *rand.Rand) error {
	numbers, sum := data(r, 2000)
	got, err := Get[float64](w, "execute", "kept = [f()[:], f()]\nresult = float(kept[1].sum()); kept[1][0] = -1", python.KW{"f": func() []float64 {
		return slices.Clone(numbers)
	}})
	return equal(got, sum, err)
}

func (w *World) borrow(r *rand.Rand) error {
	n := 1 + r.IntN(5000)
	o, err := w.evaluate.Call(context.Background(), "np.arange(float(n)).reshape(1, -1)", python.KW{"n": n})
	if err != nil {
		return err
	}
	view, err := python.Borrow[float64](o)
	if err != nil {
		return err
	}
	_ = o.Close() // the view holds the memory
	if err := w.plain(r, 1000); err != nil {
		return err
	}
	got := view.At(0, n-1)
	if r.IntN(3) > 0 {
		view.Release()
	}
	runtime.KeepAlive(view)
	return equal(got, float64(n-1), nil)
}

func (w *World) failing(r *rand.Rand) error {
	classes := []error{python.ValueError, python.Exception, python.ValueError, python.SystemExit, python.KeyboardInterrupt, python.Exception, python.OSError, python.StopIteration}
	kind, text := r.IntN(len(classes)), strings.Repeat("text ", r.IntN(20))
	err := w.Run(context.Background(), "fail", kind, text)
	var pe *python.Error
	if !errors.As(err, &pe) || !errors.Is(err, classes[kind]) || !strings.Contains(pe.Traceback, "fail") {
		return fmt.Errorf("kind %d: got %w", kind, err)
	}
	if kind == 2 && !errors.Is(pe.Unwrap(), python.KeyError) || kind == 6 && (len(pe.Notes) != 1 || pe.Notes[0] != "noted") {
		return fmt.Errorf("kind %d: got cause %w, notes %v", kind, pe.Unwrap(), pe.Notes)
	}
	return nil
}

func (w *World) conversion(r *rand.Rand) error {
	o, err := w.evaluate.Call(context.Background(), "[{'a': [1, 2, n]}]", python.KW{"n": "text"})
	if err != nil {
		return err
	}
	defer o.Close()
	if _, err := python.As[[]map[string][]int](o); err == nil || !strings.Contains(err.Error(), `[0]["a"][2]: want int, got str`) {
		return fmt.Errorf("got %w", err)
	}
	if _, err := w.same.Call(context.Background(), []any{1, "\xff"}); err == nil {
		return errors.New("invalid UTF-8 is passed")
	}
	return w.plain(r, 10)
}

func (w *World) callback(r *rand.Rand) error {
	n := r.IntN(1000)
	special := errors.New("special")
	switch r.IntN(4) {
	case 0:
		got, err := Get[int](w, "call", func(a int, b []float64) int { return a + len(b) }, n, make([]float64, 10))
		return equal(got, n+10, err)
	case 1:
		return want(w.Run(context.Background(), "call", func() error { return special }), special)
	case 2:
		got, err := Get[string](w, "swallow", func() error { return special })
		return equal(got, "special", err)
	default: // a function of Python's that calls a Go function
		got, err := Get[func(int) (int, error)](w, "partial", func(n int) int { return 2 * n })
		if err != nil {
			return err
		}
		twice, err := got(n)
		return equal(twice, 2*n, err)
	}
}

// nesting goes to Python and back many times.
func (w *World) nesting(r *rand.Rand) error {
	depth := 1 + r.IntN(20)
	var back func(ctx context.Context, n int) (int, error)
	back = func(ctx context.Context, n int) (int, error) {
		o, err := w.In.Func("torturing:recurse")
		if err != nil {
			return 0, err
		}
		defer o.Close()
		result, err := o.Call(ctx, back, n)
		if err != nil {
			return 0, err
		}
		defer result.Close()
		return python.As[int](result)
	}
	got, err := back(context.Background(), depth)
	return equal(got, depth, err)
}

// thread lets a thread of Python's call Go, which calls Python.
func (w *World) thread(r *rand.Rand) error {
	special := errors.New("special")
	if r.IntN(2) == 0 {
		return want(w.Run(context.Background(), "in_thread", func() error { return special }), special)
	}
	numbers, sum := data(r, 100)
	got, err := Get[float64](w, "in_thread", func(x []float64) (float64, error) { return w.sum(context.Background(), x) }, numbers)
	return equal(got, sum, err)
}

func (w *World) panics(*rand.Rand) (err error) {
	value := new(int)
	defer func() {
		if got := recover(); got == any(value) {
			err = nil
		} else if got != nil {
			err = fmt.Errorf("recovered %v", got)
		}
	}()
	return fmt.Errorf("no panic: %w", w.Run(context.Background(), "call", func() { panic(value) }))
}

func (w *World) goexit(*rand.Rand) error {
	ended := make(chan error, 1)
	go func() {
		var err error
		defer func() { ended <- err }() // which is all that runs after Goexit
		err = fmt.Errorf("went on: %w", w.Run(context.Background(), "call", func() { runtime.Goexit() }))
	}()
	return <-ended
}

// destroyed calls Go from __del__, also while garbage is collected.
func (w *World) destroyed(r *rand.Rand) error {
	var calls atomic.Int32
	cyclic := r.IntN(4) == 0
	if err := w.Run(context.Background(), "Doomed", func() { calls.Add(1) }, cyclic); err != nil {
		return err
	}
	next := "nothing"
	if cyclic {
		next = "sweep" // again and again: one that another thread has begun does not see the cycle
	}
	var err error
	if !Eventually(func() bool { err = w.Run(context.Background(), next); return err != nil || calls.Load() == 1 }) {
		return fmt.Errorf("destroyed %d times", calls.Load())
	}
	return err
}

func (w *World) class(r *rand.Rand) error {
	n := r.IntN(1000)
	a := &Account{balance: n}
	a.Other = a
	got, err := Get[*Account](w, "execute", "a.deposit(1)\nassert a.other is a and a.me() is a\nassert a.deposit(1) == n + 2\nresult = a", python.KW{"a": a, "n": n})
	if err := equal(got, a, err); err != nil {
		return err
	}
	if err := equal(a.Deposit(0), n+2, nil); err != nil {
		return err
	}
	if got, err := Get[int](w, "execute", "import host\na = host.Account(5); a.other = a\nresult = a.deposit(2)"); err != nil || got != 7 {
		return fmt.Errorf("got %d, %w", got, err)
	}
	return want(w.Run(context.Background(), "execute", "import host\nhost.Account(-1)"), errCredit)
}

func (w *World) channel(r *rand.Rand) error {
	n := r.IntN(200)
	numbers := make(chan int, r.IntN(10))
	sent := make(chan error, 1)
	go func() {
		err := w.Run(context.Background(), "send_all", numbers, n)
		if err != nil { // else Python has closed it
			close(numbers)
		}
		sent <- err
	}()
	sum := 0
	for i := range numbers {
		sum += i
	}
	if err := <-sent; err != nil {
		return err
	}
	if err := equal(sum, n*(n-1)/2, nil); err != nil {
		return err
	}
	back := make(chan int)
	go func() {
		for i := range n {
			back <- i
		}
		close(back)
	}()
	sum, err := Get[int](w, "add_all", (<-chan int)(back))
	return equal(sum, n*(n-1)/2, err)
}

func (w *World) file(r *rand.Rand) error {
	text := bytes.Repeat([]byte("0123456789é"), r.IntN(2000))
	var copied bytes.Buffer
	size, err := Get[int](w, "copy_file", struct{ io.Reader }{bytes.NewReader(text)}, struct{ io.Writer }{&copied})
	if err := equal(size, len(text), err); err != nil {
		return err
	}
	return equal(bytes.Equal(copied.Bytes(), text), true, nil)
}

func (w *World) sequence(r *rand.Rand) error {
	n := r.IntN(100)
	sequence := iter.Seq[int](func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	})
	sum, err := Get[int](w, "add_all", sequence)
	if err := equal(sum, n*(n-1)/2, err); err != nil || n == 0 {
		return err
	}
	// One that Python leaves half-way.
	first, err := Get[int](w, "execute", "result = next(iter(s))", python.KW{"s": sequence})
	return equal(first, 0, err)
}

func (w *World) iterate(r *rand.Rand) error {
	n, stop := r.IntN(500), r.IntN(700)
	o, err := w.numbers.Call(context.Background(), n)
	if err != nil {
		return err
	}
	defer o.Close()
	next := 0
	for item, err := range python.Iter[int](context.Background(), o) {
		if err := equal(item, next, err); err != nil {
			return err
		}
		if next++; next == stop {
			return nil
		}
	}
	return equal(next, n, nil)
}

func (w *World) task(r *rand.Rand) error {
	n := r.IntN(1000)
	tasks := make([]*python.Task, 5)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := range tasks {
		tasks[i] = w.later.Go(ctx, float64(i)/2000, n+i)
	}
	forever, err := w.In.Func("torturing:forever")
	if err != nil {
		return err
	}
	defer forever.Close()
	endless := forever.Go(ctx)
	for i, task := range tasks {
		o, err := task.Wait(context.Background())
		if err != nil {
			return err
		}
		got, err := python.As[int](o)
		_ = o.Close()
		if err := equal(got, n+i, err); err != nil {
			return err
		}
	}
	if r.IntN(2) == 0 {
		endless.Cancel()
		_, err = endless.Wait(context.Background())
		return want(err, python.Class("asyncio.exceptions.CancelledError"))
	}
	cancel()
	_, err = endless.Wait(context.Background())
	return want(err, context.Canceled)
}

func (w *World) async(r *rand.Rand) error {
	n := r.IntN(1000)
	got, err := Get[int](w, "awaited", python.NewFunc(func(n int) int { return 2 * n }, python.Async()), n)
	if err := equal(got, 2*n, err); err != nil {
		return err
	}
	got, err = Get[int](w, "execute", "import asyncio, host\nasync def both():\n    return sum(await asyncio.gather(*(host.fetch(i) for i in range(5))))\nresult = asyncio.run(both())")
	return equal(got, 15, err)
}

// cancel ends the context of a call about when it returns, and looks at the call that follows.
func (w *World) cancel(r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Microsecond<<r.IntN(14))
	defer cancel()
	o, err := w.count.Call(ctx, r.IntN(2000))
	switch {
	case err == nil:
		w.Finished.Add(1)
		_ = o.Close()
	case errors.Is(err, context.DeadlineExceeded):
		w.Interrupted.Add(1)
	default:
		return err
	}
	return w.plain(r, 10)
}

// cancelEarly ends the context of a call before it begins, or in the middle.
func (w *World) cancelEarly(r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(3))*time.Millisecond)
	defer cancel()
	if err := want(w.Run(ctx, "spin"), context.DeadlineExceeded); err != nil {
		return err
	}
	w.Interrupted.Add(1)
	return w.plain(r, 10)
}

func (w *World) capture(r *rand.Rand) error {
	n := r.IntN(1000)
	ctx, printed := python.Capture(context.Background())
	if err := w.Run(ctx, "echo", n); err != nil {
		return err
	}
	return equal(printed.Stdout()+printed.Stderr(), fmt.Sprintf("printed %d\ntold %d\n", n, n), nil)
}

func (w *World) worker(r *rand.Rand) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctx = w.workers[r.IntN(len(w.workers))].Context(ctx)
	return w.sameThread(ctx)
}

// sameThread checks that calls with a context run on one thread.
func (w *World) sameThread(ctx context.Context) error {
	f, err := w.In.Func("torturing:identity")
	if err != nil {
		return err
	}
	defer f.Close()
	var threads [3]int
	for i := range threads {
		o, err := f.Call(ctx)
		if err != nil {
			return err
		}
		if threads[i], err = python.As[int](o); err != nil {
			return err
		}
		_ = o.Close()
	}
	if threads[0] != threads[1] || threads[0] != threads[2] {
		return fmt.Errorf("the calls of a worker ran on threads %v", threads)
	}
	return nil
}

// workerClosed uses a worker and closes it, with a call on it or without.
func (w *World) workerClosed(r *rand.Rand) error {
	worker := w.In.Worker(context.Background())
	ctx := worker.Context(context.Background())
	if err := w.sameThread(ctx); err != nil {
		return err
	}
	if r.IntN(2) == 0 {
		time.AfterFunc(time.Duration(r.IntN(1000))*time.Microsecond, func() { _ = worker.Close() })
		if err := want(w.Run(ctx, "spin"), python.ErrClosed); err != nil {
			return err
		}
	}
	_ = worker.Close()
	return want(w.Run(ctx, "nothing"), python.ErrClosed)
}

// closing closes what is used at the same time.
func (w *World) closing(r *rand.Rand) error {
	o, err := w.same.Call(context.Background(), []any{1, "text", []float64{1, 2}})
	if err != nil {
		return err
	}
	uses := []func() error{
		func() error { _, err := python.As[[]any](o); return err },
		func() error { _, err := o.Len(); return err },
		func() error { return closed(o.Item(1)) },
		func() error { return closed(w.same.Call(context.Background(), o)) },
		func() error {
			for item, err := range o.Iter() {
				if err != nil {
					return err
				}
				_ = item.Close()
			}
			return nil
		},
	}
	use := uses[r.IntN(len(uses))]
	var both sync.WaitGroup
	both.Go(func() { _ = o.Close() })
	both.Go(func() {
		if failed := use(); failed != nil && !errors.Is(failed, python.ErrClosed) {
			err = failed
		}
	})
	both.Wait()
	return err
}

// forgotten leaves what it has to the garbage collector.
func (w *World) forgotten(r *rand.Rand) error {
	f, err := w.In.Func("torturing:same")
	if err != nil {
		return err
	}
	for range 1 + r.IntN(5) {
		o, err := f.Call(context.Background(), map[string]any{"list": []any{r.IntN(1000)}, "data": []float64{1}})
		if err != nil {
			return err
		}
		if _, err := o.Item("list"); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) dump(*rand.Rand) error {
	_ = w.In.Stats().Map()
	return w.In.Dump(io.Discard)
}

func (w *World) garbage(*rand.Rand) error {
	runtime.GC()
	wrong, err := Get[[]string](w, "wrong")
	if err == nil && len(wrong) > 0 {
		err = errors.New(strings.Join(wrong, "; "))
	}
	return err
}
