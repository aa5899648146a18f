import { FatalError, RetryableError } from "@perdure/core";
import { WorkflowRunFailedError } from "@perdure/core/errors";
import { describe, expect, it } from "vitest";
import { transactional } from "../src/index.ts";
import { attempts, machines, newKey, opened, type Subject } from "./programs.ts";

/** What holds through every library. */
export function adapterLaws<Trx>(subject: Subject<Trx>): void {
  describe(subject.name, () => {
    it("gives a later attempt the result that was committed, and does not execute the work again", async () => {
      const key = newKey();
      const { database } = await opened(subject);
      const db = transactional(database);
      const stored: unknown[] = [];
      let works = 0;
      const call = () =>
        db.run(async (trx) => {
          works++;
          await subject.insert(trx, key);
          return { key, at: new Date(0), text: "„ü\u0000" };
        });
      const { flow } = attempts(
        async () => {
          stored.push(await call());
          throw new RetryableError("after the commit", { retryAfter: 0 });
        },
        async () => {
          stored.push(await call());
          return stored.at(-1);
        },
      );
      const { client } = await machines()();
      const run = await client.start(flow, []);
      expect(await run.returnValue).toEqual({ key, at: new Date(0), text: "„ü\u0000" });
      expect(stored[1]).toEqual(stored[0]);
      expect(works).toBe(1);
      expect(await subject.keys(key)).toEqual([key]);
    });

    it("leaves nothing of work that fails, and keeps undefined as a result", async () => {
      const key = newKey();
      const { database } = await opened(subject);
      const db = transactional(database);
      const work = (fail: boolean) => async (): Promise<unknown> =>
        await db.run(async (trx) => {
          await subject.insert(trx, key);
          if (fail) throw new RetryableError("in the work", { retryAfter: 0 });
        });
      const { flow, calls } = attempts(work(true), work(false));
      const { client } = await machines()();
      expect(await (await client.start(flow, [])).returnValue).toBeUndefined();
      expect(calls()).toBe(2);
      expect(await subject.keys(key)).toEqual([key]);
    });

    it("tells the calls of a step apart by their order", async () => {
      const key = newKey();
      const { database } = await opened(subject);
      const db = transactional(database);
      const first = () => db.run((trx) => subject.insert(trx, `${key}1`).then(() => 1));
      const second = () => db.run((trx) => subject.insert(trx, `${key}2`).then(() => 2));
      const { flow } = attempts(
        async () => {
          await first();
          throw new RetryableError("between", { retryAfter: 0 });
        },
        async () => {
          const both = await Promise.all([first(), second()]);
          if (both.length === 2) throw new RetryableError("after both", { retryAfter: 0 });
        },
        async () => [await first(), await second()],
      );
      const { client } = await machines()();
      expect(await (await client.start(flow, [])).returnValue).toEqual([1, 2]);
      expect(await subject.keys(key)).toEqual([`${key}1`, `${key}2`]);
    });

    it("says which table is missing, and makes it", async () => {
      const { elsewhere } = await opened(subject);
      const table = `t_${newKey()}`;
      const database = elsewhere(table);
      const db = transactional(database);
      const { flow } = attempts(async () => {
        try {
          return await db.run(async () => 1);
        } catch (error) {
          throw new FatalError((error as Error).message);
        }
      });
      const { client } = await machines()();
      if (!database.name.includes("Mongo")) {
        const failed = await (await client.start(flow, [])).returnValue.catch((error: unknown) => error);
        expect(WorkflowRunFailedError.is(failed)).toBe(true);
        expect(String((failed as Error).cause)).toMatch(
          new RegExp(`table ${table} is missing in .*migration`),
        );
      }
      await database.createTable();
      await database.createTable();
      expect(await (await client.start(flow, [])).returnValue).toBe(1);
    });
  });
}
