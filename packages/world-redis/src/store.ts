/**
 * What exists while a World is open: client, verbs and hints.
 */

import { WorldError } from "@perdure/core/errors";
import type { OpenStore, WorldCapabilities } from "@perdure/core/world";
import { Caller } from "./caller.ts";
import { claim, renew } from "./claim.ts";
import { createClient, locationOf } from "./client.ts";
import { commit } from "./commit.ts";
import type { Config } from "./config.ts";
import { Connection } from "./connection.ts";
import { checkSettings, confirmationOf, durabilityOf, type ServerSettings, survives } from "./durability.ts";
import { worldError } from "./errors.ts";
import { Hints } from "./hints.ts";
import { leftoversOf } from "./leftovers.ts";
import { deliver } from "./mailbox.ts";
import { openFirst, openRest } from "./migrations.ts";
import { nameReads } from "./name-reads.ts";
import { namesOf } from "./names.ts";
import { openClient } from "./opening.ts";
import { partitionsOf } from "./partitions.ts";
import { reads } from "./reads.ts";
import { records } from "./records.ts";
import { deleteRuns } from "./retention.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import { sizesOf } from "./size.ts";
import { createRuns } from "./start.ts";
import { streams } from "./streams.ts";

export interface RedisStore extends OpenStore {
  readonly durability: WorldCapabilities["durability"];
  readonly sizes: ReturnType<typeof sizesOf>;
}

/** Connects, looks at the server, and makes the partitions that are missing. */
export async function openStore(config: Config): Promise<RedisStore> {
  const location = locationOf(config.target);
  const client = createClient(config);
  const owned = config.target.type !== "client";
  // Without a listener the client writes to the console; whoever calls a verb gets the error anyway.
  const ignore = (): void => {};
  if (owned) client.on("error", ignore);
  const caller = new Caller({ client, location, callTimeout: config.callTimeout });
  try {
    const servers = await openClient(client, config.patience, location);
    for (const server of servers) checkSettings(server, config, location);
    // A user who may not would leave every worker to look for work now and then, and hear of none.
    await caller.send("publish", [channelOf(config), ""]);
    const partitions = config.partitions ?? (client.isCluster ? 16 : 1);
    const connection = await openPartitions(caller, partitions, servers, config);
    const leftovers = leftoversOf(connection);
    const names = namesOf(connection, leftovers);
    const removal = deleteRuns(connection, leftovers);
    const found = nameReads(connection);
    const reading = reads(connection, found);
    const hints = new Hints({ client, caller, channel: channelOf(config), interval: config.callTimeout });
    return {
      hints,
      settings: settingsOf(connection, servers, config),
      durability: durabilityOf(servers, config),
      sizes: sizesOf(servers),
      createRuns: createRuns(connection, names),
      claim: claim(connection),
      renew: renew(connection),
      commit: commit(connection, names, leftovers),
      deliver: deliver(connection, found),
      reads: reading,
      deleteRuns: removal,
      records: records(connection),
      streams: streams(connection),
      // A user's client stays open.
      async close() {
        hints.close();
        if (owned) client.disconnect();
      },
    };
  } catch (error) {
    if (owned) client.disconnect();
    // What a script of the open connection was refused is a mistake in the options, too.
    throw worldError(WorldError.is(error) ? (error.cause ?? error) : error, location, true);
  }
}

async function openPartitions(
  caller: Caller,
  wanted: number,
  servers: readonly ServerSettings[],
  config: Config,
): Promise<Connection> {
  const { prefix, namespace, clock, patience, beforeOperation } = config;
  const connectionTo = (count: number): Connection =>
    new Connection({
      caller,
      partitions: partitionsOf(prefix, namespace, count),
      clock,
      patience,
      confirmation: confirmationOf(servers, config),
      beforeOperation,
    });
  const count = await openFirst(connectionTo(1), wanted);
  if (config.partitions !== undefined && config.partitions !== count) {
    throw new TypeError(
      `The store at ${caller.location} has ${count} partitions, which cannot be changed to ${config.partitions}. Leave the option ` +
        "`partitions` away, or use another namespace.",
    );
  }
  const connection = connectionTo(count);
  await openRest(connection);
  return connection;
}

function channelOf({ prefix, namespace }: Config): string {
  return namespace === "" ? `${prefix}:hints` : `${prefix}:${namespace}:hints`;
}

function settingsOf(
  connection: Connection,
  servers: readonly ServerSettings[],
  config: Config,
): Readonly<Record<string, string | number>> {
  const same = (values: readonly (string | number | boolean)[]): string =>
    [...new Set(values.map(String))].join(", ");
  return {
    server: connection.location,
    namespace: config.namespace,
    partitions: connection.partitions.count,
    schemaVersion: SCHEMA_VERSION,
    software: same(servers.map(({ software, version }) => `${software} ${version}`)),
    masters: servers.length,
    replicas: servers.reduce((sum, { replicas }) => sum + replicas, 0),
    appendonly: same(servers.map(({ appendonly }) => (appendonly ? "yes" : "no"))),
    appendfsync: same(servers.map(({ appendfsync }) => appendfsync)),
    maxmemoryPolicy: same(servers.map(({ maxmemoryPolicy }) => maxmemoryPolicy)),
    durability: config.durability,
    survives: survives(servers, config),
    clock: config.clock,
  };
}
