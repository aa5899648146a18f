import type { MemoryState } from "@perdure/core/testing";
import type { RecordWrite } from "@perdure/core/world";
import { type Bug, bug, gap } from "./bug.ts";

export const recordBugs: readonly Bug[] = [
  bug("records", "the version is looked at first and written later", ({ world, state }) => ({
    async writeRecords(batch, now) {
      const fits = batch.map(
        ({ key, writeId, ifVersion }) =>
          state.records.get(key, now)?.version !== writeId &&
          (state.records.get(key, now)?.version ?? null) === ifVersion,
      );
      await gap();
      return world.writeRecords(
        batch.map((write, index) => {
          if (!fits[index]) return write;
          return { ...write, ifVersion: state.records.get(write.key, now)?.version ?? null };
        }),
        now,
      );
    },
  })),
  bug("records", "a record is written over whatever is there", ({ world, state }) => ({
    writeRecords: (batch, now) =>
      world.writeRecords(
        batch.map((write) => ({ ...write, ifVersion: state.records.get(write.key, now)?.version ?? null })),
        now,
      ),
  })),
  bug("records", "a write that is sent again is a conflict", ({ world, state }) => ({
    writeRecords: (batch, now) =>
      world.writeRecords(
        batch.map((write) => {
          const { version = null } = state.records.get(write.key, now) ?? {};
          return version === write.writeId ? { ...write, writeId: `${write.writeId} again` } : write;
        }),
        now,
      ),
  })),
  bug("records", "a write that is sent again is written again", ({ world, state }) => ({
    writeRecords: (batch, now) => {
      for (const { key, writeId, ttl } of batch) {
        const record = state.records.get(key, now);
        if (record?.version !== writeId) continue;
        state.records.set(key, { ...record, expiresAt: ttl === null ? null : now + ttl });
      }
      return world.writeRecords(batch, now);
    },
  })),
  bug("records", "a conflict tells nothing of the record", ({ world }) => ({
    async writeRecords(batch, now) {
      const results = await world.writeRecords(batch, now);
      return results.map((result) => (result.outcome === "conflict" ? { ...result, record: null } : result));
    },
  })),
  bug("records", "one conflict keeps the rest of its batch from being written", ({ world, state }) => ({
    async writeRecords(batch, now) {
      const conflict = batch.find(({ key, writeId, ifVersion }) => {
        const version = state.records.get(key, now)?.version ?? null;
        return version !== writeId && version !== ifVersion;
      });
      const ifVersion = (write: RecordWrite) => (conflict === undefined ? write.ifVersion : "no version");
      return world.writeRecords(
        batch.map((write) => ({ ...write, ifVersion: ifVersion(write) })),
        now,
      );
    },
  })),
  bug("records", "half of a batch is lost with the process", ({ world, operation }) => ({
    async writeRecords(batch, now) {
      const first = await world.writeRecords(batch.slice(0, 1), now);
      await operation("between");
      const rest = batch
        .slice(1)
        .map((write) => ({ ...write, ifVersion: write.ifVersion && `${write.ifVersion} ` }));
      return [...first, ...(await world.writeRecords(rest, now))];
    },
  })),
  bug("records", "keys are folded", ({ world }) => ({
    writeRecords: (batch, now) =>
      world.writeRecords(
        batch.map((write) => ({ ...write, key: write.key.normalize() })),
        now,
      ),
    readRecords: (keys, now) =>
      world.readRecords(
        keys.map((key) => key.normalize()),
        now,
      ),
  })),
  bug("records", "the caller's bytes are kept, not copied", ({ world, state }) => ({
    async writeRecords(batch, now) {
      const results = await world.writeRecords(batch, now);
      for (const [index, { key, value, writeId }] of batch.entries()) {
        const record = state.records.get(key, now);
        if (results[index]?.outcome !== "written" || record?.version !== writeId) continue;
        state.records.set(key, {
          ...record,
          value,
          expiresAt: record.ttl === null ? null : now + record.ttl,
        });
      }
      return results;
    },
  })),

  bug("record-expiry", "nothing removes what has expired", ({ world, state }) => {
    const written = new Map<string, Parameters<MemoryState["records"]["set"]>[1]>();
    return {
      async writeRecords(batch, now) {
        const results = await world.writeRecords(batch, now);
        for (const { key, writeId, value, ttl } of batch) {
          written.set(key, { version: writeId, value, expiresAt: ttl === null ? null : now + ttl });
        }
        for (const [key, record] of written) {
          const expired = record.expiresAt !== null && record.expiresAt <= now;
          if (expired && state.records.get(key, now) === null) state.records.set(key, record);
        }
        return results;
      },
    };
  }),
  bug("record-expiry", "a record goes only when it is swept", ({ world }) => ({
    readRecords: (keys) => world.readRecords(keys, 0),
    listRecords: (query) => world.listRecords({ ...query, now: 0 }),
    writeRecords: (batch) => world.writeRecords(batch, 0),
  })),
  bug("record-expiry", "readers see a record that writers do not", ({ world }) => ({
    readRecords: (keys) => world.readRecords(keys, 0),
  })),
  bug("record-expiry", "expired records take up room in a page", ({ world }) => ({
    async listRecords(query) {
      const page = await world.listRecords({ ...query, now: 0 });
      return { ...page, records: page.records.filter(({ ttl }) => ttl === null || ttl > query.now) };
    },
  })),
  bug("record-expiry", "the version of an expired record is still good", ({ world, state }) => {
    const versions = new Map<string, string>();
    return {
      async writeRecords(batch, now) {
        const revived = batch.map((write) =>
          state.records.get(write.key, now) === null && versions.get(write.key) === write.ifVersion
            ? { ...write, ifVersion: null }
            : write,
        );
        const results = await world.writeRecords(revived, now);
        for (const { key, writeId } of batch) {
          if (state.records.get(key, now)?.version === writeId) versions.set(key, writeId);
        }
        return results;
      },
    };
  }),
  bug("record-expiry", "a slow owner writes over whoever came after it", ({ world, state }) => {
    const owners = new Map<string, string>();
    return {
      async writeRecords(batch, now) {
        const results = await world.writeRecords(
          batch.map((write) => {
            const version = state.records.get(write.key, now)?.version ?? null;
            const wasOwner = owners.get(write.key) === write.ifVersion && version !== null;
            return wasOwner ? { ...write, ifVersion: version } : write;
          }),
          now,
        );
        for (const { key, writeId } of batch) if (!owners.has(key)) owners.set(key, writeId);
        return results;
      },
    };
  }),
  bug("record-expiry", "a later write leaves the first ttl", ({ world, state }) => ({
    writeRecords: (batch, now) =>
      world.writeRecords(
        batch.map((write) => ({ ...write, ttl: state.records.get(write.key, now)?.ttl ?? write.ttl })),
        now,
      ),
  })),
  bug("record-expiry", "a sweep takes what was made again", ({ world, state }) => {
    const expiring = new Set<string>();
    return {
      async writeRecords(batch, now) {
        const results = await world.writeRecords(batch, now);
        for (const key of expiring) {
          if (state.records.get(key, now)?.ttl !== null) state.records.delete(key);
        }
        for (const { key, ttl } of batch) if (ttl !== null && ttl < 10) expiring.add(key);
        return results;
      },
    };
  }),

  bug("record-listing", "a prefix is a pattern", ({ world }) => ({
    listRecords: ({ prefix, ...query }) =>
      world.listRecords({ ...query, prefix: prefix.replace(/[%*].*/s, "") }),
  })),
  bug("record-listing", "a prefix is cut at NUL", ({ world }) => ({
    listRecords: ({ prefix, ...query }) =>
      world.listRecords({ ...query, prefix: prefix.replace(/\0.*/s, "") }),
  })),
  bug("record-listing", "the key that is the prefix itself is left out", ({ world }) => ({
    async listRecords(query) {
      const page = await world.listRecords(query);
      return { ...page, records: page.records.filter(({ key }) => key !== query.prefix) };
    },
  })),
  bug("record-listing", "keys above U+FFFF come after the end of the range", ({ world }) => ({
    async listRecords(query) {
      const page = await world.listRecords(query);
      const end = `${query.prefix}\u{10ffff}`;
      return { ...page, records: page.records.filter(({ key }) => key < end) };
    },
  })),
  bug("record-listing", "pages are counted, not anchored", ({ world }) => ({
    async listRecords({ cursor, ...query }) {
      const from = Number(cursor ?? 0);
      const { records } = await world.listRecords({ ...query, limit: from + query.limit + 1 });
      const page = records.slice(from, from + query.limit);
      return {
        records: page,
        cursor: records.length > from + query.limit ? String(from + query.limit) : null,
      };
    },
  })),
];
