/**
 * Reading: queries that change nothing. Pages continue after the last key of the page before, so nothing that is created
 * or deleted meanwhile shifts them.
 */
import type { HookRecord, OpenStore } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { Damage } from "./errors.ts";
import { type HookOwner, type Hooks, hookWith } from "./hooks.ts";
import type { Journal } from "./journal.ts";
import { listing } from "./listing.ts";
import type { Runs } from "./runs.ts";
import type { Collections, TokenDocument } from "./schema.ts";
import { fromStored, toStored } from "./text.ts";
import type { Unread } from "./unread.ts";

export type Reads = OpenStore["reads"];

/** The parts of the store that reading works with. */
export interface ReadStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly journal: Journal;
  readonly runs: Runs;
  readonly hooks: Hooks;
  readonly unread: Unread;
}

export function reads({ connection, collections, journal, runs, hooks, unread }: ReadStore): Reads {
  /** The hook of a run that has the token; its metadata is in the journal. */
  async function hookRecord(owner: HookOwner, token: string): Promise<HookRecord[]> {
    const hook = hookWith(owner, token);
    const run = hook === undefined ? undefined : (await runs.get([owner._id])).get(owner._id);
    if (hook === undefined || run?.incarnation !== owner.incarnation) return [];
    const [event] = await journal.read(run, hook.seq - 1, 1);
    if (event === undefined) return [];
    return [
      {
        token: fromStored(token),
        hookId: fromStored(hook.id),
        runId: fromStored(run._id),
        createdAt: event.at,
        data: event.data,
      },
    ];
  }

  return {
    async getRuns(runIds) {
      const ids = runIds.map(toStored);
      const found = await runs.get(ids, ["tail", "mail", "hooks"]);
      const documents = [...found.values()];
      const records = await runs.records(documents);
      const byId = new Map(documents.map((run, index) => [run._id, records[index]]));
      return ids.map((id) => byId.get(id) ?? null);
    },

    ...listing(connection, collections, runs),

    async listEvents(runId, after, limit) {
      const run = (await runs.get([toStored(runId)])).get(toStored(runId));
      return run === undefined ? [] : journal.read(run, after, limit);
    },

    async listMail(wanted) {
      const found = await runs.get(
        wanted.map(({ runId }) => toStored(runId)),
        ["tail", "hooks"],
      );
      const known = wanted.flatMap(({ runId, after }) => {
        const run = found.get(toStored(runId));
        return run === undefined ? [] : [{ run, after }];
      });
      const lists = (await unread(known)).map((list) => {
        if (list instanceof Damage) throw list;
        return list;
      });
      let next = 0;
      return wanted.map(({ runId }) => (found.has(toStored(runId)) ? (lists[next++] ?? []) : []));
    },

    async getHookByToken(token) {
      for (const surely of [false, true]) {
        const run = (await hooks.owners([toStored(token)], surely)).get(toStored(token));
        const [record] = run === undefined ? [] : await hookRecord(run, toStored(token));
        if (record !== undefined) return record;
      }
      return null;
    },

    async listHooks({ runId, limit, cursor }) {
      const page: HookRecord[] = [];
      let last = cursor === undefined ? undefined : toStored(cursor);
      for (;;) {
        // One more than the page holds tells whether there is another. Dead entries are passed over.
        const wanted = limit + 1 - page.length;
        const entries = await connection.find<TokenDocument>(
          "list hooks",
          collections.hooks,
          {
            ...(runId !== undefined && { run: toStored(runId) }),
            ...(last !== undefined && { _id: { $gt: last } }),
          },
          { sort: { _id: 1 }, limit: wanted },
        );
        const tokens = entries.map(({ _id }) => _id);
        const owners = await hooks.owners(tokens, false);
        const records = await Promise.all(
          tokens.map((token) => {
            const run = owners.get(token);
            return run === undefined ? [] : hookRecord(run, token);
          }),
        );
        page.push(...records.flat());
        last = tokens.at(-1) ?? last;
        if (entries.length < wanted || page.length > limit) break;
      }
      const hooksOfPage = page.slice(0, limit);
      return { hooks: hooksOfPage, cursor: page.length > limit ? (hooksOfPage.at(-1)?.token ?? null) : null };
    },
  };
}
