import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { closingLine } from "./tooling/vitest/closing-line.ts";
import { crashedFiles } from "./tooling/vitest/crashed-files.ts";
import { LongestFirst } from "./tooling/vitest/longest-first.ts";
import { sourceAliases } from "./tooling/vitest/source-aliases.ts";

// One vitest for the whole repository: tests read the sources of every package, spawned processes the builds.
export default defineConfig({
  resolve: { alias: sourceAliases(import.meta.dirname) },
  test: {
    include: ["{packages,apps,tooling}/*/{src,test}/**/*.test.ts"],
    exclude: [
      "**/node_modules/**",
      "**/fixtures/**",
      "**/test/project/**",
      "**/dist/**",
      "**/*.fixture.test.ts",
    ],
    reporters: ["default", closingLine(), crashedFiles()],
    // Half of the time of most files is spent waiting, for servers and for processes.
    maxWorkers: Math.ceil(1.5 * availableParallelism()),
    sequence: { sequencer: LongestFirst },
    // Node 24's V8 crashes now and then in its garbage collection with it: https://github.com/nodejs/node/issues/62393
    execArgv: ["--no-sparkplug"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: ["./tooling/testbed/src/vitest-setup.ts"],
  },
});
