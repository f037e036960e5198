// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package chromium

import _ "embed"

// Pictures is a script that makes `picture`: it paints numbered pictures, and reads the number of a decoded one and how far it
// is from what was painted.
//
//go:embed picture.js
var Pictures string
