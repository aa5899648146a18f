/**
 * Looking names up. Those of a run are listed in the order of their ids, others in the order of the names: each is a walk
 * along one index.
 */
import type { OpenStore } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { endOfKeys, nextKey, toStoredKey } from "./keys.ts";
import { heldNames, NAME_COLUMNS, type NameRow, toHeldName } from "./names.ts";
import type { Statement } from "./statement.ts";
import { readAt, type StoreClock } from "./store-clock.ts";
import type { Tables } from "./tables.ts";
import { toStored } from "./text.ts";

export function nameReads(
  connection: Connection,
  tables: Tables,
  clock: StoreClock,
): Pick<OpenStore["reads"], "getNames" | "listNames"> {
  const { runs, names } = tables;
  const select = connection.prepare<NameRow>(
    "select name",
    `SELECT ${NAME_COLUMNS} FROM ${heldNames(tables, "?2")} WHERE n.name = ?1`,
  );
  const listAll = connection.prepare<NameRow>(
    "list names",
    `SELECT ${NAME_COLUMNS} FROM ${heldNames(tables, "?1")}
     WHERE n.name >= ?2 AND n.name < ?3 ORDER BY n.name LIMIT ?4`,
  );
  const listOfRun = (after: string): Statement<NameRow> =>
    connection.prepare(
      "list names of run",
      `SELECT ${NAME_COLUMNS} FROM ${heldNames(tables, "?1", `INDEXED BY ${names}_by_run`)}
       WHERE n.name >= ?2 AND n.name < ?3 AND n.run = (SELECT id FROM ${runs} WHERE run_id = ?5) ${after}
       ORDER BY n.id LIMIT ?4`,
    );
  const listOfRunFirst = listOfRun("");
  const listOfRunNext = listOfRun("AND n.id > ?6");

  return {
    getNames: (wanted, callersNow) =>
      readAt(connection, clock, callersNow, (now) =>
        wanted.map((name) => {
          const row = select.get(toStoredKey(name), now);
          return row === undefined ? null : toHeldName(row);
        }),
      ),

    listNames: ({ prefix = "", runId, limit, cursor, now: callersNow }) =>
      readAt(connection, clock, callersNow, (now) => {
        const from = runId !== undefined || cursor === undefined ? toStoredKey(prefix) : nextKey(cursor);
        const stretch = [now, from, endOfKeys(prefix), limit + 1] as const;
        const rows =
          runId === undefined
            ? listAll.all(...stretch)
            : cursor === undefined
              ? listOfRunFirst.all(...stretch, toStored(runId))
              : listOfRunNext.all(...stretch, toStored(runId), toStored(cursor));
        const page = rows.slice(0, limit).map(toHeldName);
        const last = page.at(-1);
        const more = rows.length > limit && last !== undefined;
        return { names: page, cursor: more ? (runId === undefined ? last.name : last.id) : null };
      }),
  };
}
