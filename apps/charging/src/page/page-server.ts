// The page on which the demo can be watched: one static file, and the chronicle as server-sent events.

import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { listen } from "../servers/http.ts";
import type { Chronicle } from "./chronicle.ts";

export interface Page {
  url: string;
  close(): Promise<void>;
}

/** Serves the page on a free port of the loopback address. */
export async function servePage(chronicle: Chronicle): Promise<Page> {
  const html = readFileSync(new URL("./page.html", import.meta.url));
  const { urls, close } = await listen(1, () => (request, response) => {
    if (request.url === "/") {
      response.writeHead(200, {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy":
          "default-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
      });
      response.end(html);
    } else if (request.url === "/events") {
      tell(chronicle, Number(request.headers["last-event-id"] ?? -1) + 1, response);
    } else response.writeHead(404).end();
  });
  return { url: `${urls[0]}/`, close };
}

/** Sends the entries from number `from` on; a browser that lost the connection says which it had last. */
function tell(chronicle: Chronicle, from: number, response: ServerResponse): void {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  let id = from;
  const leave = chronicle.follow(from, (told) => {
    response.write(`id: ${id++}\ndata: ${JSON.stringify(told)}\n\n`);
  });
  response.on("close", leave);
}
