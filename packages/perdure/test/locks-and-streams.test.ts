import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { acquireLock, createHook, getWritable, step, workflow } from "perdure";
import { getHookByToken, listLocks, resumeHook, start } from "perdure/api";
import { configure, createWorker, shutdown, sqliteWorld } from "perdure/runtime";
import { expect, onTestFinished, test } from "vitest";
import { projectFolder } from "./bin.ts";

// What the commands `locks` and `streams` show of runs that another process executes.

const POLL = { timeout: 20_000 };

const writes = step("shown//writes", async (namespace: string | null, chunks: readonly unknown[]) => {
  const writer = getWritable(namespace === null ? {} : { namespace }).getWriter();
  for (const chunk of chunks) await writer.write(chunk);
});
const holds = workflow("shown//holds", async (token: string) => {
  await using _ = await acquireLock("account:1");
  await writes(null, ["two\nlines", { rate: 0.5 }]);
  await writes("log", ["begun"]);
  await createHook({ token });
});

test("locks are shown with who has them and who waits, streams with what is in them", {
  timeout: 60_000,
}, async () => {
  const { folder, perdure } = projectFolder();
  mkdirSync(join(folder, ".perdure"));
  const world = sqliteWorld({ path: join(folder, ".perdure/perdure.db") });
  configure({ world, worker: false });
  const worker = createWorker({ world, signals: [] });
  await worker.start();
  onTestFinished(async () => {
    await worker.close();
    await shutdown();
  });
  const first = await start(holds, ["first"]);
  await expect
    .poll(
      () =>
        getHookByToken("first").then(
          () => true,
          () => false,
        ),
      POLL,
    )
    .toBe(true);
  const second = await start(holds, ["second"]);
  await expect.poll(async () => (await listLocks())[0]?.waiting, POLL).toBe(1);

  const { out } = await perdure("locks");
  const [title, row, ...more] = out.trimEnd().split("\n");
  expect(title).toMatch(/^LOCK +HELD +WAITING +BY$/);
  expect(row).toMatch(new RegExp(`^account:1 +1/1 +1 +${first.runId} \\(fence \\d+\\)$`));
  expect(more).toEqual([]);
  const [lock] = JSON.parse((await perdure("locks", "--json", "--run", first.runId)).out);
  expect(lock).toMatchObject({ key: "account:1", limit: 1, waiting: 1, holders: [{ runId: first.runId }] });

  expect(await perdure("streams", first.runId)).toMatchObject({
    code: 0,
    out: "NAMESPACE\n(the run's own)\nlog\n",
  });
  expect(await perdure("streams", second.runId)).toMatchObject({ out: "The run has no streams.\n" });

  await resumeHook("first", null);
  await first.returnValue;
  // A stream ends with its run.
  expect((await perdure("streams", first.runId, "--read")).out).toBe("two lines\n{ rate: 0.5 }\n");
  const log = await perdure("streams", first.runId, "--read", "--stream", "log", "--json");
  expect(JSON.parse(log.out)).toEqual({ index: 0, data: "begun" });
});
