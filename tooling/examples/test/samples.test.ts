import { join } from "node:path";
import { expect, test } from "vitest";
import { regionsOf, samplesOf } from "../examples.ts";

// What pages show is executed: their samples are regions of files that run in the tests.

const root = join(import.meta.dirname, "../../..");

/** The pages whose every sample runs; a new page belongs here. */
const PAGES = [
  "docs/at-most-once.md",
  "docs/cancellation.md",
  "docs/children.md",
  "docs/continue-as-new.md",
  "docs/guides/approvals.md",
  "docs/guides/charging.md",
  "docs/guides/from-bullmq.md",
  "docs/guides/sagas.md",
  "docs/guides/schedules.md",
  "docs/idempotency.md",
  "docs/locks.md",
  "docs/once.md",
  "docs/resume-or-start.md",
  "docs/retry-and-fork.md",
  "docs/runs.md",
  "docs/start-keys.md",
  "docs/telemetry.md",
];

test.each(PAGES)("the samples of %s are regions of files that run", (page) => {
  const samples = samplesOf(join(root, page));
  expect(samples.length).toBeGreaterThan(0);
  for (const { place, code, region } of samples) {
    expect(region, `${place} names no region: <!-- sample: file "name" --> above the block`).not.toBeNull();
    if (region === null) continue;
    expect(region.file, place).toMatch(/\.test\.ts$/);
    expect(regionsOf(join(root, region.file)).get(region.name), `${place} is not as in ${region.file}`).toBe(
      code,
    );
  }
});
