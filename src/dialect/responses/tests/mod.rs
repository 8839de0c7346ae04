mod encode;
mod read;
