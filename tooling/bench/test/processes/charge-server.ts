import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { sqliteWorld } from "@perdure/world-sqlite";
import { workflow } from "perdure";
import { start } from "perdure/api";
import { idempotent } from "perdure/http";
import { configure } from "perdure/runtime";

// A server that is killed at any moment: it starts a run for each charge. Its arguments: the store's file, and how long it may take.

const [path = "", most = "0"] = process.argv.slice(2);
const world = sqliteWorld({ path });
configure({ world, worker: false });
const charge = workflow("charge-server//charge", async (order: string) => order);

const slowly = (): Promise<void> => pause(Math.random() * Number(most));
const handle = idempotent(
  async (request, { idempotencyKeyFor, begin }) => {
    const order = await request.text();
    await slowly();
    // It fails now and then before it has begun.
    if (Math.random() < 0.1) return Promise.reject(new Response("try again", { status: 503 }));
    begin();
    const { runId } = await start(charge, [order], { idempotencyKey: idempotencyKeyFor("charge") });
    await slowly();
    return Response.json({ runId, order }, { status: 201 });
  },
  { world, lease: 300, logger: "silent" },
);

const server = createServer((message, answer) => {
  const parts: Buffer[] = [];
  message.on("data", (part: Buffer) => parts.push(part));
  message.on("end", async () => {
    const headers = { "x-api-key": "a", "idempotency-key": String(message.headers["idempotency-key"]) };
    const request = new Request("http://localhost/charges", {
      method: "POST",
      headers,
      body: Buffer.concat(parts),
    });
    const response = await handle(request);
    answer.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
  });
});
server.listen(0, "127.0.0.1", () => console.log(`port ${(server.address() as AddressInfo).port}`));
