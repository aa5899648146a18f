import type { Reporter, TestModule } from "vitest/node";

/**
 * Ends a run with the one line that CI reads: `N passed, N failed, N skipped`. A file that could not be loaded, a hook that
 * threw outside a test and an unhandled error each count as one failure, so the line never looks better than the exit code.
 */
export function closingLine(print: (line: string) => void = console.log): Reporter {
  return {
    onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
      const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 };
      for (const module of modules) {
        count.failed += module.errors().length;
        for (const suite of module.children.allSuites()) {
          count.failed += suite.errors().length;
        }
        for (const test of module.children.allTests()) {
          count[test.result().state] += 1;
        }
      }
      print(`${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped`);
    },
  };
}
