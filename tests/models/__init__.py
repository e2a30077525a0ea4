"""Two exhaustive models of the pipeline's protocols, and the property that real runs keep to them."""
