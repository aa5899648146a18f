import { FatalError } from "@perdure/core";
import { StaleAttemptError, WorkflowRunFailedError } from "@perdure/core/errors";
import { describe, expect, it } from "vitest";
import { transactional } from "../src/index.ts";
import { attempts, gate, machines, newKey, opened, type Subject } from "./programs.ts";

/** What holds when an attempt goes on whose worker was given up: it stands before its transaction, or in it. */
export function zombieLaws<Trx>(subject: Subject<Trx>): void {
  describe(`${subject.name}: attempts that go on`, () => {
    /** Two connections, of two machines. */
    async function two(key: string) {
      const [one, other] = [await opened(subject), await opened(subject)];
      const works: string[] = [];
      const call = (connection: typeof one, name: string, within?: () => Promise<void>) =>
        transactional(connection.database).run(async (trx) => {
          works.push(name);
          await subject.insert(trx, key);
          await within?.();
          return name;
        });
      return { works, zombie: call.bind(null, one), later: call.bind(null, other), other };
    }

    it("gets the later attempt's result when it comes to its transaction after it", async () => {
      const key = newKey();
      const { works, zombie, later } = await two(key);
      const before = gate();
      let late: Promise<unknown> = Promise.resolve();
      const { flow } = attempts(
        async () => {
          await before.pass();
          late = zombie("zombie");
          return await late;
        },
        () => later("later"),
      );
      const machine = machines();
      const first = await machine();
      const run = await first.client.start(flow, []);
      await before.reached;
      first.freeze();
      const second = await machine();
      expect(await second.client.getRun(run.runId).returnValue).toBe("later");
      before.open();
      await expect.poll(() => late).toBe("later");
      expect(works).toEqual(["later"]);
      expect(await subject.keys(key)).toEqual([key]);
    });

    it("is waited for when it is in its transaction, and what it commits counts", async () => {
      const key = newKey();
      const { works, zombie, later } = await two(key);
      const within = gate();
      const second = gate();
      const { flow } = attempts(
        () => zombie("zombie", within.pass),
        () => {
          void second.pass();
          return later("later");
        },
      );
      const machine = machines();
      const first = await machine();
      const run = await first.client.start(flow, []);
      await within.reached;
      first.freeze();
      const { client } = await machine();
      await second.reached;
      within.open();
      expect(await client.getRun(run.runId).returnValue).toBe("zombie");
      expect(works).toEqual(["zombie"]);
      expect(await subject.keys(key)).toEqual([key]);
    });

    it("writes nothing once its step has failed, nor when the run is retried; the retry does", async () => {
      const key = newKey();
      const { works, zombie, later } = await two(key);
      const before = gate();
      let late: Promise<unknown> = Promise.resolve();
      const { flow } = attempts(
        async () => {
          await before.pass();
          late = zombie("zombie").catch((error: unknown) => error);
          return await late;
        },
        () =>
          later("failed", async () => {
            throw new FatalError("no");
          }),
        () => later("retried"),
      );
      const machine = machines();
      const first = await machine();
      const run = await first.client.start(flow, []);
      await before.reached;
      first.freeze();
      const { client } = await machine();
      const handle = client.getRun(run.runId);
      expect(WorkflowRunFailedError.is(await handle.returnValue.catch((error: unknown) => error))).toBe(true);
      before.open();
      await expect.poll(async () => StaleAttemptError.is(await late)).toBe(true);
      expect(await subject.keys(key)).toEqual([]);
      const retried = await handle.retry();
      expect(await retried.returnValue).toBe("retried");
      expect(works).toEqual(["failed", "retried"]);
      expect(await subject.keys(key)).toEqual([key]);
    });

    it("is fenced too by a step that failed before it came to its transaction, if the step was named", async () => {
      const key = newKey();
      const { works, zombie, other } = await two(key);
      const before = gate();
      let late: Promise<unknown> = Promise.resolve();
      const { flow, only } = attempts(
        async () => {
          await before.pass();
          late = zombie("zombie").catch((error: unknown) => error);
          return await late;
        },
        async () => {
          throw new FatalError("at once");
        },
      );
      transactional(other.database, { steps: [only] });
      const machine = machines();
      const first = await machine();
      const run = await first.client.start(flow, []);
      await before.reached;
      first.freeze();
      const { client } = await machine();
      await expect(client.getRun(run.runId).returnValue).rejects.toThrow();
      before.open();
      await expect.poll(async () => StaleAttemptError.is(await late)).toBe(true);
      expect(works).toEqual([]);
      expect(await subject.keys(key)).toEqual([]);
    });

    it("delays the failure of its step while it is in its transaction; a retry finds what it has committed", async () => {
      const key = newKey();
      const { works, zombie, later, other } = await two(key);
      const within = gate();
      const failing = gate();
      const { flow, only } = attempts(
        () => zombie("zombie", within.pass),
        async () => {
          void failing.pass();
          throw new FatalError("meanwhile");
        },
        () => later("retried"),
      );
      transactional(other.database, { steps: [only] });
      const machine = machines();
      const first = await machine();
      const run = await first.client.start(flow, []);
      await within.reached;
      first.freeze();
      const { client } = await machine();
      await failing.reached;
      const handle = client.getRun(run.runId);
      expect(await handle.status).toBe("running");
      within.open();
      await expect(handle.returnValue).rejects.toThrow();
      expect(await subject.keys(key)).toEqual([key]);
      expect(await (await handle.retry()).returnValue).toBe("zombie");
      expect(works).toEqual(["zombie"]);
    });
  });
}
