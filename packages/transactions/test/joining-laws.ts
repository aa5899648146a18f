import { createHook, workflow } from "@perdure/core";
import { IdempotencyMismatchError } from "@perdure/core/errors";
import { createWorker } from "@perdure/core/runtime";
import { Client } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import { describe, expect, it, onTestFinished } from "vitest";
import { newKey, opened, type Subject } from "./programs.ts";

/** What holds for starts and payloads with a transaction of a library on the database of the World. */
export function joiningLaws<Trx>(subject: Subject<Trx>, world: World): void {
  describe(`${subject.name}: start and resume`, () => {
    it("come with the commit, or not at all", async () => {
      const key = newKey();
      const { database } = await opened(subject);
      const client = new Client({ world, logger: "silent" });
      const flow = workflow(`${key} flow`, async (amount: number) => {
        const hook = createHook<string>({ token: `${key}hook` });
        return `${amount} ${await hook}`;
      });
      const worker = createWorker({
        world,
        workflows: [flow],
        pollInterval: 50,
        logger: "silent",
        signals: [],
      });
      await worker.start();
      onTestFinished(() => worker.close({ timeout: 0 }));

      const undone = new Error("undone");
      let rolledBack = "";
      const failed = database.transaction(async (trx) => {
        await subject.insert(trx, `${key}1`);
        const options = { tx: subject.tx(trx), hook: { token: `${key}hook` } };
        rolledBack = (await client.start(flow, [1], options)).runId;
        throw undone;
      });
      await expect(failed).rejects.toBe(undone);
      expect(await client.getRun(rolledBack).exists).toBe(false);

      const run = await database.transaction(async (trx) => {
        await subject.insert(trx, `${key}2`);
        const started = await client.start<string>(flow, [2], {
          tx: subject.tx(trx),
          idempotencyKey: key,
          hook: { token: `${key}hook` },
        });
        await client.joinedResume(`${key}hook`, "sent", { tx: subject.tx(trx) });
        expect(await client.getRun(started.runId).exists).toBe(false);
        return started;
      });
      expect(await run.exists).toBe(true);
      expect(await run.returnValue).toBe("2 sent");
      expect(await subject.keys(key)).toEqual([`${key}2`]);

      const again = await database.transaction((trx) =>
        client.start<string>(flow, [2], { tx: subject.tx(trx), idempotencyKey: key }),
      );
      expect(await again.returnValue).toBe("2 sent");
      expect(again.runId).toBe(run.runId);
      const other = await database.transaction((trx) =>
        client.start<string>(flow, [3], { tx: subject.tx(trx), idempotencyKey: key }),
      );
      const mismatch = await other.returnValue.catch((error: unknown) => error);
      expect(IdempotencyMismatchError.is(mismatch)).toBe(true);
    });
  });
}
