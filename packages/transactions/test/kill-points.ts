import { step, workflow } from "@perdure/core";
import { type TransactionalDatabase, transactional } from "../src/index.ts";
import type { Connection, Subject } from "./programs.ts";

/** The points of a transactional step at which a process may end. */

export const POINTS = ["begin", "taken", "work", "written", "completed", "committed", "returned"] as const;

export type Point = (typeof POINTS)[number];

/** The same database; `at` is called at every point. */
function watched<Trx>(
  database: TransactionalDatabase<Trx>,
  at: (point: Point) => void,
): TransactionalDatabase<Trx> {
  return {
    ...database,
    async transaction(work) {
      at("begin");
      const value = await database.transaction(work);
      at("committed");
      return value;
    },
    rows(trx) {
      const rows = database.rows(trx);
      return {
        ...rows,
        async take(...given) {
          const row = await rows.take(...given);
          at("taken");
          return row;
        },
        async complete(...given) {
          await rows.complete(...given);
          at("completed");
        },
      };
    },
  };
}

/** A workflow with one transactional step that inserts a business row and returns its key. */
export function program<Trx>(
  subject: Subject<Trx>,
  { database }: Connection<Trx>,
  at: (point: Point) => void,
): (key: string) => Promise<string> {
  const db = transactional(watched(database, at));
  const only = step("killed step", async (key: string) => {
    const result = await db.run(async (trx) => {
      at("work");
      await subject.insert(trx, key);
      at("written");
      return key;
    });
    at("returned");
    return result;
  });
  return workflow("killed flow", async (key: string) => await only(key));
}
