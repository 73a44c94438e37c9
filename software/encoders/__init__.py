"""Front ends in integers: sound to features, features to events; each part is described by a JSON object. See docs/data.md."""
