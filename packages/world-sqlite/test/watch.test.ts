import { appendFileSync, writeFileSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { watchForChanges } from "../src/watch.ts";
import { temporaryFile } from "./store.ts";

/** The default of a second is too little for a busy machine. */
const PATIENCE = { timeout: 10_000 };

test("a write that changes no version is this instance's own: no hint, and the looking ends", async () => {
  const file = temporaryFile();
  writeFileSync(`${file}-wal`, "");
  let looks = 0;
  const onChange = vi.fn();
  const stop = watchForChanges(
    file,
    () => {
      looks += 1;
      return 1;
    },
    onChange,
  );
  onTestFinished(stop);
  await vi.waitFor(() => {
    appendFileSync(`${file}-wal`, "frame");
    expect(looks).toBeGreaterThan(5);
  }, PATIENCE);
  expect(onChange).not.toHaveBeenCalled();
});

test("a commit that becomes visible only after its last write is noticed by a later look", async () => {
  const file = temporaryFile();
  writeFileSync(`${file}-wal`, "");
  let looks = 0;
  const onChange = vi.fn();
  // The version changes with the fourth look after the write: the flush took its time.
  const stop = watchForChanges(file, () => (++looks < 5 ? 1 : 2), onChange);
  onTestFinished(stop);
  appendFileSync(`${file}-wal`, "frame");
  await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(1), PATIENCE);
});

test("where the file cannot be watched, it is looked at", async () => {
  let version = 1;
  const onChange = vi.fn();
  const stop = watchForChanges(temporaryFile(), () => version, onChange);
  onTestFinished(stop);
  version = 2;
  await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(1), PATIENCE);
});

test("a look that fails is no change", async () => {
  let looks = 0;
  let looksAtChange = 0;
  const onChange = vi.fn(() => {
    looksAtChange = looks;
  });
  const stop = watchForChanges(
    temporaryFile(),
    () => {
      looks += 1;
      if (looks === 2) throw new Error("database is locked");
      return looks < 4 ? 1 : 2;
    },
    onChange,
  );
  onTestFinished(stop);
  await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(1), PATIENCE);
  expect(looksAtChange).toBe(4);
});
