#!/usr/bin/env node
// Old syntax on purpose: an old Node gets this far and no further.
var needed = [22, 18];
var has = process.versions.node.split(".").map(Number);
if (has[0] < needed[0] || (has[0] === needed[0] && has[1] < needed[1])) {
  console.error(
    "create-perdure needs Node " +
      needed.join(".") +
      " or newer, this is " +
      process.versions.node +
      ": the programs that it makes run TypeScript files as they are.",
  );
  process.exitCode = 1;
} else {
  import("../dist/cli.js");
}
