import type { Engine, EngineConfig, RoomMode } from './api.js';
/** Chooses the mode of engines created from now on; default `single`. Throws 1001020 once an engine was created and not destroyed. */
export declare function setRoomMode(next: RoomMode): void;
/** Creates an engine. It connects with the first loginRoom. Throws {@link SwitchyardError} 1000017 for a configuration that cannot work. */
export declare function createEngine(config: EngineConfig): Engine;
