export * from './api.js';
export * from './errors.js';
export { setRoomMode, createEngine } from './engine.js';
