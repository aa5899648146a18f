import { describe, expect, it } from "vitest";
import { transactional } from "../src/index.ts";
import { attempts, machines, newKey, opened, type Subject } from "./programs.ts";

/** What holds when the database ends a transaction because of another one: it is begun again inside the attempt. */

/** Another connection, with transactions of its own. */
export interface Other {
  query(sql: string): Promise<unknown>;
}

/** @param subject its transactions are at the level REPEATABLE READ or a higher one */
export function serializationLaws<Trx>(subject: Subject<Trx>, other: Other): void {
  it(`${subject.name}: a serialization failure begins the transaction again inside the attempt`, async () => {
    const key = newKey();
    const { database } = await opened(subject);
    await other.query(`INSERT INTO business VALUES ('${key}1')`);
    const update = `UPDATE business SET id = id WHERE id = '${key}1'`;
    let works = 0;
    const { flow, calls } = attempts(() =>
      transactional(database).run(async (trx) => {
        works++;
        await subject.insert(trx, `${key}2`);
        // Committed since this transaction began.
        if (works === 1) await other.query(update);
        await execute(subject, trx, update);
        return works;
      }),
    );
    const { client } = await machines()();
    expect(await (await client.start(flow, [])).returnValue).toBe(2);
    expect([works, calls()]).toEqual([2, 1]);
    expect(await subject.keys(key)).toEqual([`${key}1`, `${key}2`]);
  });
}

/** @param begin what the other connection executes so that of two in a deadlock it is not the one that is ended */
export function deadlockLaws<Trx>(
  subject: Subject<Trx>,
  other: Other,
  begin: (key: string) => string[],
): void {
  describe(`${subject.name}: deadlocks`, () => {
    it("begins the transaction again inside the attempt", async () => {
      const key = newKey();
      const { database } = await opened(subject);
      let works = 0;
      let blocked: Promise<unknown> = Promise.resolve();
      const { flow, calls } = attempts(() =>
        transactional(database).run(async (trx) => {
          works++;
          await subject.insert(trx, `${key}1`);
          if (works === 1) {
            for (const sql of begin(key)) await other.query(sql);
            await other.query(`INSERT INTO business VALUES ('${key}2')`);
            blocked = other
              .query(`INSERT INTO business VALUES ('${key}1')`)
              .finally(() => other.query("ROLLBACK"));
          }
          await subject.insert(trx, `${key}2`);
          return works;
        }),
      );
      const { client } = await machines()();
      expect(await (await client.start(flow, [])).returnValue).toBe(2);
      await blocked;
      expect([works, calls()]).toEqual([2, 1]);
      expect(await subject.keys(key)).toEqual([`${key}1`, `${key}2`]);
    });
  });
}

async function execute<Trx>(subject: Subject<Trx>, trx: Trx, sql: string): Promise<void> {
  const tx = subject.tx(trx) as { execute(sql: string, parameters: unknown[]): Promise<unknown> };
  await tx.execute(sql, []);
}
