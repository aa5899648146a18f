/**
 * Getting through to the server when a World is opened: in time, and, where that fails, with the reason that the client
 * was told. What the options of a user's client would do to answers is found out here too.
 */
import { WorldError } from "@perdure/core/errors";
import { within } from "@perdure/core/world";
import { Cluster, Command } from "ioredis";
import { type Client, mastersOf } from "./client.ts";
import { readSettings, type ServerSettings } from "./durability.ts";
import { isRefusal, worldError } from "./errors.ts";

// However little patience there is, a server is given so long (ms) to take the connection.
const SHORTEST = 1_000;

/**
 * Connects, and reads what the masters say of themselves.
 *
 * @throws {WorldError} after `patience` at the latest
 */
export async function openClient(
  client: Client,
  patience: number,
  location: string,
): Promise<readonly ServerSettings[]> {
  const failures = watchFailures(client);
  const limit = Math.max(patience, SHORTEST);
  try {
    return await within(
      limit,
      () => Promise.race([lookAround(client, location), failures.refused]),
      () => (failures.last === undefined ? silence(client, location, limit) : failures.last),
    );
  } catch (error) {
    // The client rejects with "Connection is closed"; why, it has told before.
    throw worldError(WorldError.is(error) ? error : (failures.last ?? error), location, true);
  } finally {
    failures.stop();
  }
}

async function lookAround(client: Client, location: string): Promise<readonly ServerSettings[]> {
  await connected(client);
  await checkDatabase(client);
  await checkAnswers(client, location);
  return Promise.all(mastersOf(client).map(readSettings));
}

/** Listens to what the client says of its connections while it is being opened. */
function watchFailures(client: Client): {
  readonly last: unknown;
  /** Rejects when the server has refused for good. */
  readonly refused: Promise<never>;
  stop(): void;
} {
  let last: unknown;
  let refuse: (error: unknown) => void;
  const refused = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  refused.catch(() => {});
  const hear = (error: unknown): void => {
    last = error;
    if (isRefusal(error)) refuse(error);
  };
  client.on("error", hear);
  client.on("node error", hear);
  return {
    get last() {
      return last;
    },
    refused,
    stop() {
      client.off("error", hear);
      client.off("node error", hear);
    },
  };
}

/** A client of ours waits to be connected; a user's may be at any point. */
async function connected(client: Client): Promise<void> {
  if (client.status === "wait") return client.connect();
  if (client.status === "ready") return;
  await new Promise<void>((resolve, reject) => {
    client.once("ready", resolve);
    client.once("end", () => reject(new Error("Connection is closed.")));
    if (client.status === "end") reject(new Error("Connection is closed."));
  });
}

// A client whose SELECT was refused goes on in database 0.
async function checkDatabase(client: Client): Promise<void> {
  if (client instanceof Cluster) return;
  const database = client.condition?.select ?? client.options.db ?? 0;
  if (database !== 0) await client.select(database);
}

const KNOWN = "return {1, 'a', false, {2}}";
const isKnown = (answer: unknown): boolean => {
  const [number, text, nothing, list] = Array.isArray(answer) ? answer : [];
  return (
    number === 1 &&
    Buffer.isBuffer(text) &&
    nothing === null &&
    Array.isArray(list) &&
    list[0] === 2 &&
    String(text) === "a"
  );
};

/** @throws {TypeError} that names the option which makes answers other than the server gave them */
async function checkAnswers(client: Client, location: string): Promise<void> {
  const command = new Command("eval", [KNOWN, 0], { replyEncoding: null });
  client.sendCommand(command);
  if (isKnown(await command.promise)) return;
  const { options } = client;
  const set = { ...options, ...("redisOptions" in options ? options.redisOptions : {}) };
  const names = ["stringNumbers", "replyMapping"].filter((name) => {
    const value = (set as Readonly<Record<string, unknown>>)[name];
    return value === true || value === "resp3";
  });
  throw new TypeError(
    `The ioredis client for the Redis World at ${location} changes what the server answers (` +
      `${names.length === 0 ? "a reply transformer?" : `option \`${names.join("`, `")}\``}). Give the World a client without it.`,
  );
}

function silence(client: Client, location: string, waited: number): WorldError {
  const heard = client instanceof Cluster || (client.stream?.bytesRead ?? 0) > 0;
  const what = heard
    ? "is not ready: it may be loading its data, or the cluster is not whole."
    : "says nothing. Check host and port: a proxy without a server behind it, a server of another protocol, or one " +
      "without TLS that is spoken to by TLS (`rediss://`) is silent like this.";
  return new WorldError(`The Redis World at ${location} was not opened within ${waited} ms: it ${what}`);
}
