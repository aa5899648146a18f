import { connect, createServer, type Socket } from "node:net";
import { BSON } from "mongodb";
import { onTestFinished } from "vitest";

/** A stretch of wire between driver and server that can be cut, and on which errors can be put that no fake throws. */

/** What happens to one command. */
export type Fault =
  /** The connection breaks before the server has the command. */
  | { readonly type: "cut before" }
  /** The server has done it; the connection breaks before the answer is here. */
  | { readonly type: "cut after" }
  /** The server gets it twice, as from a sender that repeats; the second answer counts. */
  | { readonly type: "twice" }
  /** This answer comes, and the server has not seen the command. */
  | { readonly type: "refuse"; readonly answer: BSON.Document }
  /** This answer comes, though the server has done it. */
  | { readonly type: "deny"; readonly answer: BSON.Document }
  /** The server gets an update command without some of its statements, and the answer refuses those. */
  | {
      readonly type: "refuse some";
      readonly which: (statement: BSON.Document) => boolean;
      readonly error: BSON.Document;
    }
  /** The server's answer comes with something in it changed. */
  | { readonly type: "change"; readonly change: (answer: BSON.Document) => BSON.Document }
  /** The connection stays, and no answer ever comes. */
  | { readonly type: "silence" };

/** Decides on a command by its name and content. */
export type Decide = (name: string, command: BSON.Document) => Fault | undefined;

export interface Proxy {
  /** The server's URL by way of the proxy. */
  readonly url: string;
  /** From now on this decides. */
  inject(decide: Decide): void;
}

const HEADER = 16;
const OP_MSG = 2013;

/** Starts a proxy to the server of a URL; it ends with the test. */
export async function startProxy(url: string): Promise<Proxy> {
  // Of a replica set the first member; the driver must not go round the proxy to the others.
  const [, before = "", host = "", port = "27017", after = ""] =
    /^(mongodb:\/\/(?:[^@/]*@)?)([^:,/?]+)(?::(\d+))?[^/?]*(.*)$/.exec(url) ?? [];
  const sockets = new Set<Socket>();
  let decide: Decide = () => undefined;
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    // What to do with the next answer of the server, if it is not just to be passed on.
    let onAnswer: ((answer: Buffer) => void) | undefined;
    upstream.on(
      "data",
      inMessages((answer) => {
        const act = onAnswer;
        onAnswer = undefined;
        if (act === undefined) client.write(answer);
        else act(answer);
      }),
    );
    client.on(
      "data",
      inMessages((message) => {
        const command = commandOf(message);
        const name = command === undefined ? "" : (Object.keys(command)[0] ?? "");
        const fault = command === undefined ? undefined : decide(name, command);
        if (fault === undefined) {
          upstream.write(message);
          return;
        }
        switch (fault.type) {
          case "cut before":
            client.destroy();
            return;
          case "cut after":
            onAnswer = () => client.destroy();
            upstream.write(message);
            return;
          case "twice":
            onAnswer = () => upstream.write(message);
            upstream.write(message);
            return;
          case "refuse":
            client.write(answerTo(message, fault.answer));
            return;
          case "refuse some": {
            const updates: readonly BSON.Document[] = command?.updates ?? [];
            const writeErrors = updates.flatMap((each, index) =>
              fault.which(each) ? [{ index, ...fault.error }] : [],
            );
            const left = updates.filter((each) => !fault.which(each));
            if (left.length === 0) {
              client.write(answerTo(message, { ok: 1, n: 0, nModified: 0, writeErrors }));
              return;
            }
            onAnswer = (answer) =>
              client.write(
                answerTo(message, { ...commandOf(answer), ...(writeErrors.length > 0 && { writeErrors }) }),
              );
            upstream.write(answerTo(message, { ...command, updates: left }));
            return;
          }
          case "change":
            onAnswer = (answer) => client.write(answerTo(message, fault.change(commandOf(answer) ?? {})));
            upstream.write(message);
            return;
          case "silence":
            return;
          case "deny":
            onAnswer = () => client.write(answerTo(message, fault.answer));
            upstream.write(message);
            return;
        }
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  const here = typeof address === "object" && address !== null ? address.port : 0;
  const direct = after.includes("directConnection")
    ? after
    : `${after}${after.includes("?") ? "&" : after.startsWith("/") ? "?" : "/?"}directConnection=true`;
  return {
    url: `${before}127.0.0.1:${here}${direct}`,
    inject(next) {
      decide = next;
    },
  };
}

/** Cuts a stream into messages of the wire protocol. */
function inMessages(onMessage: (message: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= HEADER && rest.length >= rest.readInt32LE(0)) {
      const length = rest.readInt32LE(0);
      onMessage(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  };
}

/** The command in a message, with the documents that follow its body in sequences. */
function commandOf(message: Buffer): BSON.Document | undefined {
  const flags = message.readInt32LE(HEADER);
  if (message.readInt32LE(12) !== OP_MSG) return undefined;
  // A checksum of four bytes may stand at the end.
  const end = message.length - ((flags & 1) === 1 ? 4 : 0);
  const documentAt = (start: number): BSON.Document =>
    BSON.deserialize(message.subarray(start, start + message.readInt32LE(start)));
  let command: BSON.Document | undefined;
  for (let at = HEADER + 4; at < end; ) {
    const kind = message[at];
    const start = at + 1;
    at = start + message.readInt32LE(start);
    if (kind === 0) command = { ...documentAt(start), ...command };
    else {
      const name = message.toString("utf8", start + 4, message.indexOf(0, start + 4));
      const documents: BSON.Document[] = [];
      for (let next = start + 4 + name.length + 1; next < at; next += message.readInt32LE(next)) {
        documents.push(documentAt(next));
      }
      command = { ...command, [name]: documents };
    }
  }
  return command;
}

function answerTo(message: Buffer, answer: BSON.Document): Buffer {
  const body = BSON.serialize(answer);
  const head = Buffer.alloc(HEADER + 5);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(message.readInt32LE(4), 8);
  head.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([head, body]);
}
