#!/usr/bin/env node
// In the repository as it is, so that an install links the command before anything is built.
import "../dist/cli.js";
