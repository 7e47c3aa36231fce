package python

// Stands for core_test.go of main until that is merged.
var program struct{ folder string }
