/** `perdure/transactions`: transactions of steps on a database of yours. */
import "./default-world.ts";

export * from "@perdure/transactions";
