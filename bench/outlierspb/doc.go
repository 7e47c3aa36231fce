// Package outlierspb is generated from outliers.proto.
package outlierspb
