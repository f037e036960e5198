// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import "time"

func sendFloor(floorOrder) (floorResult, error) { return floorResult{}, errFloor }

func usage() (user, system time.Duration) { return 0, 0 }

func kernel() string { return "" }

func cpuModel() string { return "" }

func busy() time.Duration { return 0 }

func readUDPErrors() udpErrors { return udpErrors{} }

func socketDrops(int) uint64 { return 0 }
