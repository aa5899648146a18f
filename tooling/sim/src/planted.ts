import type { Plant } from "./config.ts";

/** The bug that is planted, where it is one of programs and not of the World. One simulation at a time. */
let planted: Plant | null = null;

export function plantInPrograms(plant: Plant | null): void {
  planted = plant;
}

export function isPlanted(plant: Plant): boolean {
  return planted === plant;
}
