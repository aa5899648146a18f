/** `perdure`: what workflow files import. */
import "./default-world.ts";

export * from "@perdure/core";
