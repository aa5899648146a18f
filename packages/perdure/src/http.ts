/** `perdure/http`: Perdure for HTTP servers. */
import "./default-world.ts";

export * from "@perdure/http";
