#!/usr/bin/env node
// In the repository as it is, so that an install links the command before anything is built.
import("../dist/cli.js").catch((error) => {
  // Such as a Node that is too old: one line, which Node itself would put among others.
  console.error(error?.stack ?? error);
  process.exitCode = 1;
});
