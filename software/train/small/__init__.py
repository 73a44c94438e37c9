"""The recipe of kws-small: a recurrent LIF layer, trained quantization-aware with scales of its own, on recordings and synthetic voices."""
