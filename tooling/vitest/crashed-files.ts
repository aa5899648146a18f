import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/** How Node ends when Node itself is at fault. SIGKILL and SIGTERM are somebody's doing and stay failures. */
const CRASH =
  /Worker exited unexpectedly with signal (?:SIGSEGV|SIGABRT|SIGTRAP|SIGILL|SIGBUS) .*test file (.+)$/s;

/**
 * Writes into the file `to` which test files a crash of Node took away, one per line, where nothing else failed: `--retry`
 * repeats a test, not a process. `scripts/run.mjs` runs them once more. Node 24's V8 does crash now and then
 * (https://github.com/nodejs/node/issues/62393, less often without Sparkplug).
 */
export function crashedFiles(to: string | undefined = process.env.PERDURE_CRASHED_FILES): Reporter {
  return {
    onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
      const files = unhandled.map((error) => CRASH.exec(messageOf((error as Error).cause))?.[1]);
      const lost = files.filter((file) => file !== undefined);
      const othersFailed = modules.some((module) => !lost.includes(module.moduleId) && !module.ok());
      if (to !== undefined && lost.length > 0 && lost.length === files.length && !othersFailed) {
        writeFileSync(to, lost.join("\n"));
      }
    },
  };
}

function messageOf(cause: unknown): string {
  return (cause as Error | undefined)?.message ?? "";
}
